"""The evidence of a version proves itself without us, and is handed to those who may have it."""

import gc
import hashlib
import io
import json
import tracemalloc
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from frameworks.content import checked_all
from frameworks.models import Contribution
from frameworks.services.activation import flip_active_version
from frameworks.services.delegation import delegate_signing
from frameworks.services.drafting import create_framework, start_draft, write_contents
from frameworks.services.review import request_changes
from frameworks.services.signing import sign, withdraw_signoff
from frameworks.standing import requirements_standing
from governance.evidence.bundle import write_bundle
from governance.evidence.content import VERIFIER
from governance.models import AuditEntry, AuditHead
from tests.frameworks.large import large_bodies
from tests.frameworks.making import AT, Company, person
from tests.governance.evidence_cases import DAY, bundle_of, files_of, make_history, rows, verified

_made: list[bytes] = []
"""The bundle of one history serves all tests that only look at it."""


@pytest.fixture(scope="module")
def history_world(world: None) -> None:
    make_history()


@pytest.fixture
def company(history_world: None, db: None) -> Company:
    return Company.again()


@pytest.fixture
def history(company: Company) -> bytes:
    if not _made:
        _made.append(bundle_of(company.version))
    return _made[0]


@pytest.fixture
def files(history: bytes) -> dict[str, bytes]:
    return files_of(history)


def test_bundle_proves_itself(history, tmp_path):
    place = tmp_path / "bundle.zip"
    place.write_bytes(history)

    status, said = verified(place)

    assert (status, said.splitlines()[-1]) == (0, "The bundle is whole."), said
    assert "note" not in said
    assert "sign-offs cover what their digests say" in said


def test_unpacked_bundle_proves_itself_with_the_verifier_in_it(files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    status, said = verified(tmp_path, tmp_path / "verify.py")

    assert status == 0, said


def test_bundle_leaves_out_what_was_decided_at_the_same_moment_and_is_outdone(db, tmp_path):
    """Marcus signs v0 and refuses v1 within one clock tick, as an import of the past does it, and signs v1 later."""
    company = Company()
    company.submit()
    company.sign_all()
    next_draft(company)
    reword(company, "What a year of contracts is worth.")
    refused = company.requirement("terms", "arr").pk
    noes = company.answers("marcus", "reject", "Usage is not recurring.")
    company.sign("marcus", [each for each in noes if each.requirement_id == refused])
    request_changes(version=company.version, reason="Marcus is right.", actor=company.ravi, at=AT)
    reword(company, "What a year of subscriptions is worth.")
    for name in ("marcus", "nadia", "priya"):
        company.sign(name, company.answers(name, code="terms"), at=AT + DAY)
    next_draft(company)
    company.save("term", "nrr", {"label": "NRR", "wording": "Net retention.", "owner": "Finance"})
    company.submit()
    place = tmp_path / "bundle.zip"
    place.write_bytes(bundle_of(company.version))

    status, said = verified(place)

    assert (status, said.splitlines()[-1]) == (0, "The bundle is whole."), said


def next_draft(company: Company) -> None:
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    framework = company.version.framework
    framework.refresh_from_db()
    company.version = start_draft(framework=framework, actor=company.ravi, at=AT)


def reword(company: Company, wording: str) -> None:
    company.save("term", "arr", {**company.body("term", "arr"), "wording": wording})
    company.submit()


def browser(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(company: Any) -> str:
    return f"/frameworks/{company.version.framework.slug}/v{company.version.number}/evidence/"


@pytest.mark.parametrize("role", ["executive", "revops", "auditor"])
def test_page_hands_the_bundle_to_who_reads_the_audit_log(company, role, tmp_path):
    reader = person("iris", role)

    response: Any = browser(reader).post(address(company))

    (tmp_path / "bundle.zip").write_bytes(b"".join(response.streaming_content))
    assert (response.status_code, response["Content-Type"]) == (200, "application/zip")
    assert verified(tmp_path / "bundle.zip")[0] == 0
    entry = AuditEntry.objects.get(action="evidence.exported")
    sums = files_of((tmp_path / "bundle.zip").read_bytes())["SHA256SUMS"]
    assert (entry.actor, entry.object_id) == (reader, str(company.version.uuid))
    assert entry.after == {
        "bundle": hashlib.sha256(sums).hexdigest(),
        "manifest": company.version.manifest_digest,
    }


@pytest.mark.parametrize("role", ["stakeholder", "finance", "cs_ops", "deal_desk", "csm", "architect"])
def test_page_refuses_others_and_writes_nothing(company, role):
    before = AuditEntry.objects.count()

    response = browser(person("otto", role)).post(address(company))

    assert response.status_code == 403
    assert AuditEntry.objects.count() == before


def test_draft_has_no_evidence_yet(db):
    company = Company()
    before = AuditEntry.objects.count()

    response = browser(person("iris", "auditor")).post(address(company))

    assert response.status_code == 409
    assert AuditEntry.objects.count() == before


def test_link_alone_exports_nothing(company):
    before = AuditEntry.objects.count()

    response = browser(person("iris", "auditor")).get(address(company))

    assert response.status_code == 405
    assert AuditEntry.objects.count() == before


def test_two_bundles_differ_in_when_they_were_made_alone(company):
    version = company.version

    one, other = files_of(bundle_of(version, AT + 7 * DAY)), files_of(bundle_of(version, AT + 9 * DAY))

    assert list(one) == list(other)
    assert {name for name in one if one[name] != other[name]} == {"export.json", "SHA256SUMS"}
    assert json.loads(other["export.json"])["exported_at"] == "2026-11-30T10:00:00.000000Z"


def test_same_content_is_the_same_zip(company):
    version = company.version
    head = AuditHead.objects.get()
    made = []
    for _ in range(2):
        out = io.BytesIO()
        write_bundle(version, out, by="Cutline", at=AT)
        made.append(out.getvalue())

    assert made[0] == made[1]
    assert AuditHead.objects.get().seq == head.seq


def test_bundle_says_what_was_signed_as_it_was_shown(files):
    given = [row for row in rows(files, "signoffs.jsonl") if (row["version"], row["round"]) == (1, 2)]
    arr = next(row for row in given if row["part_key"] == "arr" and row["printed_name"] == "Priya")

    assert arr["statement"] == "I agree with the definition of ARR in version 1 of Customer segmentation."
    assert (arr["authentication"], arr["signed_at"]) == ("password", "2026-11-27T10:00:00.000000Z")
    assert {row["code"] for row in given} == {"terms", "impact"}
    (told,) = json.loads(files["dissent.json"])["signoffs"]
    assert (told["by"], told["reason"]) == ("Marcus", "Services are missing.")
    assert [row["text"] for row in rows(files, "comments.jsonl")] == ["Café: “€ 12”, as said."]
    assert [row["key"] for row in rows(files, "diff.jsonl")] == ["arr"]
    assert "Services are missing." in files["manifest.html"].decode()


def test_page_to_print_calls_parts_by_their_names_and_keeps_the_keys(files):
    page = files["manifest.html"].decode()

    assert "<td>Segment Customer Tier / SMB<br><small>segment tier/smb</small></td>" in page
    assert "<td>Terms<br><small>terms</small></td><td>Definition ARR<br><small>term arr</small></td>" in page


def test_audit_log_calls_what_was_signed_and_saved_by_its_name(company):
    page = browser(person("iris", "auditor")).get("/audit/", {"q": str(company.version.uuid)}).content.decode()

    assert 'Definition ARR</ins> <span class="mono xs t-3">term arr</span>' in page
    assert 'Yes: Terms: ARR</ins> <span class="mono xs t-3">approve terms arr</span>' in page


def test_page_to_print_escapes_what_people_wrote(company):
    asked = company.requirement("terms", "arr")
    withdraw_signoff(
        requirement=asked,
        signer=company.marcus,
        reason="<script>alert(1)</script>",
        authentication="password",
        authenticated_at=AT + 6 * DAY,
        at=AT + 6 * DAY,
    )

    page = files_of(bundle_of(company.version))["manifest.html"].decode()

    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_delegate_and_withdrawal_prove_themselves(company, tmp_path):
    delegate_signing(
        delegate=company.tomas,
        valid_from=AT + 6 * DAY,
        valid_until=AT + 9 * DAY,
        reason="On leave until Monday.",
        actor=company.priya,
        at=AT + 6 * DAY,
    )
    moment = AT + 6 * DAY + DAY / 2
    asked = company.requirement("terms", "arr")
    withdraw_signoff(
        requirement=asked,
        signer=company.priya,
        reason="Read it again.",
        authentication="password",
        authenticated_at=moment,
        at=moment,
    )
    standing = next(each for each in requirements_standing(company.version, moment) if each.requirement == asked)
    sign(
        version=company.version,
        decisions=[(asked.pk, standing.digest, "approve", "")],
        signer=company.tomas,
        on_behalf_of=company.priya,
        authentication="password",
        authenticated_at=moment,
        at=moment,
    )
    place = tmp_path / "bundle.zip"
    place.write_bytes(bundle_of(company.version))

    status, said = verified(place)

    assert status == 0, said
    acts = [row["action"] for row in rows(files_of(place.read_bytes()), "audit/entries.jsonl")]
    assert {"delegation.given", "signoff.withdrawn"} <= {*acts}


def test_audit_page_offers_submitted_versions(company):
    browser_of_reader = browser(person("iris", "auditor"))

    page = browser_of_reader.get("/audit/").content.decode()

    assert page.count("/evidence/") == 2
    assert f'action="{address(company)}"' in page


def test_history_offers_the_bundle_to_readers_only(company):
    path = address(company).replace("evidence", "history")

    offered = {
        role: f'action="{address(company)}"' in browser(person(role, role)).get(path).content.decode()
        for role in ("auditor", "csm")
    }

    assert offered == {"auditor": True, "csm": False}


def test_command_writes_the_bundle_as_the_system(company, tmp_path):
    version, out = company.version, StringIO()
    place = tmp_path / "v1.zip"

    call_command("evidence", version.framework.slug, "1", "--out", str(place), stdout=out)

    entry = AuditEntry.objects.get(action="evidence.exported")
    assert verified(place)[0] == 0
    assert (entry.actor_kind, entry.after["bundle"] in out.getvalue()) == ("system", True)
    assert [each.name for each in tmp_path.iterdir()] == ["v1.zip"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["main", "7"], "no version 7"),
        (["other", "0"], "no version 0"),
        (["main", "0"], "still being written"),
        ([], "Name"),
    ],
)
def test_command_says_what_it_cannot_write(db, tmp_path, arguments, words):
    Company()

    with pytest.raises(CommandError, match=words):
        call_command("evidence", *arguments, *(["--out", str(tmp_path / "x.zip")] if arguments else []))

    assert list(tmp_path.iterdir()) == []
    assert not AuditEntry.objects.filter(action="evidence.exported").exists()


def test_command_says_what_the_verifier_looks_like(db):
    out = StringIO()

    call_command("evidence", "--verifier", stdout=out)

    assert out.getvalue() == f"{hashlib.sha256(VERIFIER.read_bytes()).hexdigest()}  verify.py\n"


def large_version(parts: int, author: Any) -> Any:
    version = create_framework(name=f"Of {parts}", slug=f"of-{parts}", template=None, actor=author, at=AT)
    contents = checked_all(large_bodies(parts))
    write_contents(version=version, contents=contents, actor=author, at=AT, source=Contribution.Source.COMMAND)
    return version


def test_large_version_is_written_in_bounded_memory(db, tmp_path):
    """Five times the parts take a small part of five times the memory: bodies are never together in it."""
    author, peaks = person("ravi", "revops"), []
    for parts in (400, 2000):
        version = large_version(parts, author)
        gc.collect()
        with (tmp_path / f"{parts}.zip").open("wb") as out:
            tracemalloc.start()
            write_bundle(version, out, by="Cutline", at=AT)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    status, said = verified(tmp_path / "2000.zip")
    assert status == 0, said
    assert peaks[1] < 2.5 * peaks[0] + 4_000_000, peaks
