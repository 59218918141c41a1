"""What people read of an evidence bundle: a short guide, and one page to print. Neither needs the network."""

from collections.abc import Iterable, Iterator

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frameworks.models import Kind, Requirement, Signoff
from frameworks.naming import names_of
from governance.evidence.content import Evidence

_PAGE = "governance/evidence/"
_TABLES = "<!-- tables -->"


def readme(evidence: Evidence) -> str:
    """How to read the bundle and how to check it."""
    return render_to_string(f"{_PAGE}readme.txt", _context(evidence))


def manifest_page(evidence: Evidence) -> Iterator[bytes]:
    """Everything that was agreed and by whom, as one page; its long tables row by row."""
    context = _context(evidence) | {
        "impact": evidence.impacts.last(),
        "dissent": [each for each in evidence.signoffs if each.decision in ("reject", "withdraw")],
    }
    head, _, tail = render_to_string(f"{_PAGE}manifest.html", context).partition(_TABLES)
    yield head.encode()
    yield from _table("Parts", ("Part", "SHA-256 of its body"), _part_rows(evidence))
    yield from _table("Requirements", ("Requirement", "About", "Signed by", "Needed"), _requirement_rows(evidence))
    yield from _table(
        "Sign-offs", ("Who", "Decision", "Statement, as shown", "Proof", "Covers"), _signoff_rows(evidence)
    )
    yield tail.encode()


def _context(evidence: Evidence) -> dict[str, object]:
    return {
        "version": evidence.version,
        "framework": evidence.framework,
        "manifest_digest": evidence.version.manifest_digest or evidence.manifest_digest,
        "part_count": len(evidence.digests),
        "signoff_count": len(evidence.signoffs),
    }


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    yield f"<h2>{title}</h2><table><thead><tr>{heads}</tr></thead><tbody>\n".encode()
    for row in rows:
        cells = "".join(format_html("<td>{}</td>", cell) for cell in row)
        yield f"<tr>{cells}</tr>\n".encode()
    yield b"</tbody></table>\n"


def _part_rows(evidence: Evidence) -> Iterator[tuple[object, ...]]:
    names = names_of(evidence.version, evidence.digests)
    for (kind, key), digest in evidence.digests.items():
        yield _with_key(names.title_of(kind, key), f"{kind} {key}"), digest


def _requirement_rows(evidence: Evidence) -> Iterator[tuple[object, ...]]:
    version = evidence.version
    asked = Requirement.objects.filter(version=version, round=version.round).order_by("position", "pk")
    names = names_of(version, evidence.digests)
    for each in asked.iterator(chunk_size=500):
        if each.part_key:
            about = _with_key(names.title_of(each.part_kind, each.part_key), f"{each.part_kind} {each.part_key}")
        else:
            about = _with_key(", ".join(Kind(kind).label for kind in each.kinds), " ".join(each.keys))
        yield _with_key(each.label, each.code), about, each.pool_label, each.minimum


def _with_key(words: str, key: str) -> SafeString:
    """What people call it, with the key by which the bundle's files name it."""
    return format_html("{}<br><small>{}</small>", words, key)


def _signoff_rows(evidence: Evidence) -> Iterator[tuple[object, ...]]:
    for each in evidence.signoffs:
        yield (
            f"{each.signed_by}, {each.role}",
            _decision(each),
            f"{each.statement} {each.reason}".strip(),
            f"{each.authentication}, {each.signed_at:%Y-%m-%d %H:%M:%S} UTC",
            each.covered_digest,
        )


def _decision(signoff: Signoff) -> str:
    return f"{signoff.get_decision_display()} (v{signoff.version.number}, round {signoff.round})"
