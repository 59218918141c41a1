"""The evidence of a version proves itself without us, and tells when anybody touched it."""

import hashlib
from typing import Any

import pytest
from django.test import Client

from governance.models import AuditEntry
from tests.frameworks.making import Company, person
from tests.governance.evidence_cases import (
    bundle_of,
    files_of,
    make_history,
    verified,
)

_made: list[bytes] = []
"""The bundle of one history serves all tests that only look at it."""


@pytest.fixture
def history(db: None) -> bytes:
    if not _made:
        _made.append(bundle_of(make_history().version))
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


def browser(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(company: Any) -> str:
    return f"/frameworks/{company.version.framework.slug}/v{company.version.number}/evidence/"


@pytest.mark.parametrize("role", ["executive", "revops", "auditor"])
def test_page_hands_the_bundle_to_who_reads_the_audit_log(db, role, tmp_path):
    company = make_history()
    reader = person("iris", role)

    response = browser(reader).post(address(company))

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
def test_page_refuses_others_and_writes_nothing(db, role):
    company = make_history()
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


def test_link_alone_exports_nothing(db):
    company = make_history()
    before = AuditEntry.objects.count()

    response = browser(person("iris", "auditor")).get(address(company))

    assert response.status_code == 405
    assert AuditEntry.objects.count() == before
