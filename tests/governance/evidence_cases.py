"""A version with a history, its bundle, and the real verifier run on it."""

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import rfc8785

from frameworks.models import Contribution, FrameworkVersion
from frameworks.services.activation import flip_active_version
from frameworks.services.discussion import add_comment
from frameworks.services.drafting import save_part, start_draft
from frameworks.services.impact import record_impact
from frameworks.services.review import request_changes, submit_version
from governance.evidence.content import VERIFIER
from governance.services.evidence import export_evidence
from tests.frameworks.making import AT, Company, requirement

DAY = timedelta(days=1)
FIGURES = {"segments": {"tier/enterprise": {"accounts": 12, "arr": "2400000.50"}, "tier/": {"accounts": 0, "arr": "0"}}}


def make_history() -> Company:
    """v0 is signed and in force; v1 was refused once, reworded, submitted again with its impact, and signed."""
    company = Company()
    policy = company.body("policy", "signoff")
    impact = requirement("impact", kinds=["policy"], include_impact=True, pool={"role": "finance"})
    company.save("policy", "signoff", {**policy, "requirements": [*policy["requirements"], impact]})
    company.submit()
    record_impact(version=company.version, figures=FIGURES, as_of=AT, actor=None, at=AT)
    company.sign_all()
    flip_active_version(version=company.version, actor=company.ravi, at=AT + DAY)
    framework = company.version.framework
    framework.refresh_from_db()
    company.version = start_draft(framework=framework, actor=company.ravi, at=AT + 2 * DAY)
    _reword(company, "What a year of subscriptions is worth.", AT + 2 * DAY)
    _submit(company, AT + 3 * DAY)
    asked = company.requirement("terms", "arr").pk
    noes = company.answers("marcus", "reject", "Services are missing.")
    company.sign("marcus", [each for each in noes if each.requirement_id == asked], at=AT + 3 * DAY)
    request_changes(version=company.version, reason="Marcus is right.", actor=company.ravi, at=AT + 4 * DAY)
    _reword(company, "What a year of subscriptions and services is worth.", AT + 4 * DAY)
    _submit(company, AT + 5 * DAY)
    record_impact(version=company.version, figures=FIGURES, as_of=AT + 5 * DAY, actor=None, at=AT + 5 * DAY)
    add_comment(
        version=company.version,
        part_kind="term",
        part_key="arr",
        thread=None,
        text="Café: “€ 12”, as said.",
        actor=company.priya,
        at=AT + 5 * DAY,
    )
    for name in ("priya", "marcus", "nadia"):
        company.sign(name, at=AT + 6 * DAY)
    return company


def _reword(company: Company, wording: str, at: Any) -> None:
    stored = company.part("term", "arr")
    save_part(
        version=company.version,
        kind="term",
        key="arr",
        body={**stored.body.body, "wording": wording},
        expected_digest=stored.body_id,
        actor=company.ravi,
        at=at,
        source=Contribution.Source.PAGE,
    )


def _submit(company: Company, at: Any) -> None:
    company.confirm()
    submit_version(version=company.version, actor=company.ravi, at=at)


def bundle_of(version: FrameworkVersion, at: Any = AT + 7 * DAY) -> bytes:
    out = io.BytesIO()
    export_evidence(version=version, out=out, actor=None, at=at)
    return out.getvalue()


def files_of(bundle: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes], place: Path) -> Path:
    with ZipFile(place, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return place


def resummed(files: dict[str, bytes]) -> dict[str, bytes]:
    """As a forger would leave it: the list of digests fits again."""
    kept = {name: content for name, content in files.items() if name != "SHA256SUMS"}
    lines = "".join(f"{hashlib.sha256(kept[name]).hexdigest()}  {name}\n" for name in sorted(kept))
    return {**kept, "SHA256SUMS": lines.encode()}


def verified(place: Path, script: Path = VERIFIER) -> tuple[int, str]:
    """Run the script as an auditor would: another Python, without our packages, nothing in the environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(place)], capture_output=True, text=True, env={}, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def rows(files: dict[str, bytes], name: str) -> list[Any]:
    return [json.loads(line) for line in files[name].splitlines()]


def with_rows(files: dict[str, bytes], name: str, change: Callable[[list[Any]], Any]) -> dict[str, bytes]:
    """The files with the rows of one changed in place, canonical again."""
    found = rows(files, name)
    change(found)
    return {**files, name: b"".join(rfc8785.dumps(row) + b"\n" for row in found)}
