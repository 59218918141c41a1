"""Writing drafts: parts, optimistic locking, ASSUMED and CONFIRMED."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction

from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StalePartError
from frameworks.models import (
    Attribute,
    Confirmation,
    Contribution,
    Dimension,
    Framework,
    FrameworkVersion,
    Part,
    PartBody,
    Segment,
)
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import (
    assumed_parts,
    confirm_parts,
    create_framework,
    delete_part,
    save_part,
    start_draft,
)
from governance.models import AuditEntry
from tests.frameworks.making import AT, Company, person, segment

TERM = {"label": "ARR", "wording": "Yearly value of signed subscriptions."}


def counts() -> dict[str, int]:
    models = (Framework, FrameworkVersion, Part, PartBody, Contribution, Confirmation, AuditEntry)
    return {model.__name__: model.objects.count() for model in models}


def test_framework_from_template_is_draft_v0_with_everything_assumed(db: None) -> None:
    ravi = person("ravi", "revops")

    version = create_framework(name="Acme", slug="acme", template="firmographic_value", actor=ravi, at=AT)

    assert (version.number, version.state, version.base_version) == (0, "draft", None)
    assert version.parts.get(kind="meta").body.body["name"] == "Acme"
    assert len(assumed_parts(version)) == version.parts.exclude(kind="waiver").count() > 40
    assert version.parts.count() == version.contributions.count()
    assert Dimension.objects.filter(framework=version.framework, is_live=False).count() == 4
    assert Segment.objects.filter(dimension__key="customer_tier").count() == 4
    assert AuditEntry.objects.filter(action="framework.created").count() == 1


def test_framework_without_template_starts_with_its_name(db: None) -> None:
    version = create_framework(name="Acme", slug="acme", template=None, actor=person("ravi", "revops"), at=AT)

    assert [(part.kind, part.key) for part in version.parts.all()] == [("meta", "meta")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"slug": "main"}, "already exists"),
        ({"slug": "Not a slug"}, "slug"),
        ({"name": " "}, "blank"),
        ({"template": "no_such"}, "no template"),
    ],
)
def test_framework_with_bad_input_is_refused_and_nothing_is_made(
    company: Company, fields: dict[str, Any], said: str
) -> None:
    before = counts()

    with pytest.raises(InvalidError, match=said):
        create_framework(**{"name": "B", "slug": "b", "template": None, **fields}, actor=company.ravi, at=AT)

    assert counts() == before


def test_framework_by_person_without_permission_is_refused(company: Company) -> None:
    before = counts()

    with pytest.raises(NotAllowedError, match="may not"):
        create_framework(name="B", slug="b", template=None, actor=company.leah, at=AT)

    assert counts() == before


def test_part_saved_again_without_change_leaves_no_trace(company: Company) -> None:
    before, part = counts(), company.part("term", "arr")

    saved = company.save("term", "arr", {**part.body.body, "wording": part.body.body["wording"] + "  "})

    assert saved == part
    assert counts() == before


def test_part_saved_with_stale_digest_conflicts_and_shows_both_texts(company: Company) -> None:
    seen = company.part("term", "arr").body_id
    company.save("term", "arr", {**TERM, "wording": "Theirs."}, actor=company.tomas)
    before = counts()

    with pytest.raises(StalePartError) as caught:
        save_part(
            version=company.version,
            kind="term",
            key="arr",
            body={**TERM, "wording": "Mine."},
            expected_digest=seen,
            actor=company.ravi,
            at=AT,
            source="page",
        )

    assert (caught.value.mine["wording"], caught.value.theirs["wording"]) == ("Mine.", "Theirs.")
    assert counts() == before
    assert company.body("term", "arr")["wording"] == "Theirs."


def test_new_part_under_taken_key_conflicts(company: Company) -> None:
    with pytest.raises(StalePartError):
        save_part(
            version=company.version,
            kind="term",
            key="arr",
            body={**TERM, "wording": "Mine."},
            expected_digest=None,
            actor=company.ravi,
            at=AT,
            source="page",
        )


def test_segment_rule_is_stored_in_canonical_form(company: Company) -> None:
    rule = company.body("segment", "tier/smb")["rules"][0]

    assert rule["criteria"]["root"]["items"][0]["value"] == "100000.00"


@pytest.mark.parametrize(
    ("kind", "key", "body", "said"),
    [
        ("term", "arr", {"label": "ARR"}, "/wording"),
        ("term", "Not A Key", TERM, "not a key"),
        ("segment", "tier/smb", segment("SMB", ("lt", "revenue", "5")), "no attribute"),
        ("segment", "tier/smb", segment("SMB", ("lt", "arr", "1,000")), "1000"),
        ("data_source", "arr", {"label": "ARR", "data_type": "text"}, "store this as"),
        ("nonsense", "x", {}, "no kind"),
    ],
)
def test_part_with_bad_body_is_refused_naming_the_place(
    company: Company, kind: str, key: str, body: Any, said: str
) -> None:
    Attribute.objects.get_or_create(key="arr", defaults={"data_type": "money", "storage": "column"})
    before = counts()

    with pytest.raises(InvalidError, match=said):
        company.save(kind, key, body)

    assert counts() == before


def test_part_by_person_without_permission_is_refused(company: Company) -> None:
    before = counts()

    with pytest.raises(NotAllowedError):
        company.save("term", "arr", {**TERM, "wording": "Mine."}, actor=company.marcus)

    assert counts() == before


def test_data_source_of_unknown_attribute_makes_a_company_specific_one(company: Company) -> None:
    company.save("data_source", "seats", {"label": "Seats", "data_type": "integer"})

    assert Attribute.objects.get(key="seats").storage == Attribute.Storage.JSON


def test_part_deleted_with_stale_digest_conflicts(company: Company) -> None:
    before = counts()

    with pytest.raises(StalePartError):
        delete_part(
            version=company.version,
            kind="term",
            key="arr",
            expected_digest="0" * 64,
            actor=company.ravi,
            at=AT,
            source="page",
        )

    assert counts() == before


def test_part_deleted_leaves_its_body_and_a_contribution(company: Company) -> None:
    part = company.part("term", "arr")

    delete_part(
        version=company.version,
        kind="term",
        key="arr",
        expected_digest=part.body_id,
        actor=company.tomas,
        at=AT,
        source="page",
    )

    assert not company.version.parts.filter(kind="term", key="arr").exists()
    assert PartBody.objects.filter(pk=part.body_id).exists()
    assert Contribution.objects.latest("pk").contributed_by == company.tomas


def test_confirmed_part_falls_back_to_assumed_when_it_is_edited(company: Company) -> None:
    company.confirm()
    assert assumed_parts(company.version) == []

    company.save("term", "arr", {**TERM, "wording": "Another wording."})

    assert [part.key for part in assumed_parts(company.version)] == ["arr"]


@pytest.mark.parametrize("evidence", ["", "too short", "\u200b" * 20, " . " * 4])
def test_confirmation_without_evidence_is_refused(company: Company, evidence: str) -> None:
    before = counts()

    with pytest.raises(InvalidError, match="how you know"):
        confirm_parts(
            version=company.version,
            parts=assumed_parts(company.version),
            evidence=evidence,
            actor=company.priya,
            at=AT,
        )

    assert counts() == before


def test_confirmation_of_a_body_changed_meanwhile_conflicts(company: Company) -> None:
    seen = assumed_parts(company.version)
    company.save("term", "arr", {**TERM, "wording": "Changed meanwhile."})
    before = counts()

    with pytest.raises(ConflictError, match="since you opened the page: definition ARR"):
        confirm_parts(version=company.version, parts=seen, evidence="Seen in billing.", actor=company.priya, at=AT)

    assert counts() == before


def test_confirmation_twice_writes_once(company: Company) -> None:
    parts = assumed_parts(company.version)
    for _ in range(2):
        confirm_parts(version=company.version, parts=parts, evidence="Seen in billing.", actor=company.priya, at=AT)

    assert Confirmation.objects.count() == len(parts)


def test_confirmation_by_csm_is_refused(company: Company) -> None:
    with pytest.raises(NotAllowedError):
        confirm_parts(
            version=company.version,
            parts=assumed_parts(company.version),
            evidence="Seen in billing.",
            actor=company.leah,
            at=AT,
        )

    assert not Confirmation.objects.exists()


def test_frozen_part_is_refused_by_service_and_by_the_database(company: Company) -> None:
    company.submit()
    before, part = counts(), company.part("term", "arr")
    statements: list[tuple[str, list[Any]]] = [
        ("UPDATE frameworks_part SET body_id = body_id WHERE id = %s", [part.pk]),
        ("DELETE FROM frameworks_part WHERE id = %s", [part.pk]),
        (
            "INSERT INTO frameworks_part (version_id, kind, key, body_id, updated_at)"
            " VALUES (%s, 'term', 'x', %s, now())",
            [company.version.pk, part.body_id],
        ),
        ("UPDATE frameworks_partbody SET body = '{}' WHERE digest = %s", [part.body_id]),
    ]

    with pytest.raises(ConflictError, match="frozen"):
        company.save("term", "arr", {**TERM, "wording": "After submit."})
    for statement, values in statements:
        with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)

    assert counts() == before
    assert company.part("term", "arr").body_id == part.body_id


def test_draft_of_active_version_copies_its_parts(company: Company) -> None:
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    company.version.framework.refresh_from_db()

    draft = start_draft(framework=company.version.framework, actor=company.tomas, at=AT + timedelta(days=1))

    assert (draft.number, draft.base_version, draft.state) == (1, company.version, "draft")
    copied = list(draft.parts.values_list("kind", "key", "body_id").order_by("pk"))
    assert copied == list(company.version.parts.values_list("kind", "key", "body_id").order_by("pk"))
    assert not draft.contributions.exists()
    assert assumed_parts(draft) == []


def test_second_draft_before_anything_was_active_is_refused(company: Company) -> None:
    before = counts()

    with pytest.raises(ConflictError, match="continue with that one"):
        start_draft(framework=company.version.framework, actor=company.ravi, at=AT)

    assert counts() == before
