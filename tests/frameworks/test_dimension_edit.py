"""The dimension editor's check and save: places of problems, ids kept, all or nothing, both texts on a conflict."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from frameworks.dimension_edit import EditRefusedError, read_edit
from frameworks.errors import ConflictError, InvalidError, NotAllowedError, StaleEditError
from frameworks.models import Contribution, FrameworkVersion, User
from frameworks.services.editing import save_dimension
from governance.models import AuditEntry
from tests.frameworks.making import AT, Company, criteria, segment, sent

SMB, ENTERPRISE = "tier/smb", "tier/enterprise"


def save(company: Company, edit: dict[str, Any], actor: User | None = None) -> list[str]:
    written = save_dimension(
        version=company.version,
        edit=read_edit("tier", edit),
        actor=actor or company.ravi,
        at=AT,
        source=Contribution.Source.PAGE,
    )
    return sorted(part.key for part in written)


def trace(company: Company) -> tuple[object, ...]:
    parts = company.version.parts.order_by("kind", "key").values_list("kind", "key", "body_id")
    return (*parts, AuditEntry.objects.count(), Contribution.objects.count())


def with_threshold(value: str) -> dict[str, Any]:
    return segment("SMB", ("lt", "arr", value))


def problems_of(company: Company, edit: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Pointer, node and message of everything refused; nothing may have been written."""
    before = trace(company)
    with pytest.raises(EditRefusedError) as refusal:
        save(company, edit)
    assert trace(company) == before
    return [(problem.pointer, problem.node_id, problem.message) for problem in refusal.value.found]


def test_save_writes_only_the_parts_that_changed(company: Company) -> None:
    edit = sent(company, smb=with_threshold("90000"))

    assert save(company, edit) == [SMB]
    assert company.body("segment", SMB)["rules"][0]["criteria"]["root"]["items"][0]["value"] == "90000.00"


def test_save_of_what_is_stored_leaves_no_trace(company: Company) -> None:
    before = trace(company)

    assert save(company, sent(company)) == []
    assert trace(company) == before


def test_save_keeps_what_somebody_else_changed_in_an_untouched_segment(company: Company) -> None:
    edit = sent(company, smb=with_threshold("90000"))
    company.save("segment", ENTERPRISE, segment("Key accounts", ("ge", "arr", "100000")), actor=company.tomas)

    assert save(company, edit) == [SMB]
    assert company.body("segment", ENTERPRISE)["label"] == "Key accounts"


def test_save_over_a_changed_segment_is_refused_with_both_texts(company: Company) -> None:
    edit = sent(company, smb=with_threshold("90000"), enterprise=segment("Big", ("ge", "arr", "90000")))
    company.save("segment", SMB, with_threshold("80000"), actor=company.tomas)
    before = trace(company)

    with pytest.raises(StaleEditError) as refusal:
        save(company, edit)

    (part,) = refusal.value.parts
    assert part.mine["rules"][0]["criteria"]["root"]["items"][0]["value"] == "90000.00"
    assert part.theirs["rules"][0]["criteria"]["root"]["items"][0]["value"] == "80000.00"
    assert trace(company) == before


def test_save_by_text_keeps_node_ids(company: Company) -> None:
    edit = sent(company)
    edit["texts"] = {"enterprise": {"rules/0": "arr >= 120000 and employee_count >= 1000"}}

    save(company, edit)

    root = company.body("segment", ENTERPRISE)["rules"][0]["criteria"]["root"]
    assert [node["id"] for node in root["items"]] == ["n1", "n2"]
    assert root["items"][0]["value"] == "120000.00"


def test_text_that_cannot_be_read_is_refused_with_line_and_column(company: Company) -> None:
    edit = sent(company)
    edit["texts"] = {"smb": {"rules/0": "arr <\n  25,000"}}

    with pytest.raises(EditRefusedError) as refusal:
        save(company, edit)

    (problem,) = refusal.value.found
    assert (problem.line, problem.pointer) == (2, "/rules/0/criteria")


LEAF = "/rules/0/criteria/root/items/0"


@pytest.mark.parametrize(
    ("leaf", "pointer", "words"),
    [
        ({"op": "lt", "attribute": "owner.password", "value": "1"}, "attribute", "no attribute"),
        ({"op": "contains", "attribute": "arr", "value": "1"}, "op", "does not work"),
        ({"op": "lt", "attribute": "arr", "value": ""}, "value", "needs a number"),
        ({"op": "lt", "attribute": "arr"}, "value", "missing"),
        ({"op": "in", "attribute": "arr", "values": []}, "values", "empty"),
        ({"op": "in", "attribute": "arr", "values": ["1"] * 1001}, "values", "1,000"),
        ({"op": "range", "attribute": "arr", "ge": "9", "lt": "1"}, "ge", "must be below"),
        ({"op": "lt", "attribute": "arr", "value": "NaN"}, "value", "needs a number"),
        ({"op": "lt", "attribute": "arr", "value": "24999.995"}, "value", "2 decimals"),
        ({"op": "lt", "attribute": "arr", "value": "1", "currency": "EUR"}, "currency", "USD"),
        ({"op": "matches", "attribute": "arr", "value": "(a+)+$"}, "op", "no operator"),
        ({"op": "segment", "dimension": "tier", "any_of": ["smb"]}, "dimension", "dimension it decides"),
    ],
)
def test_bad_leaf_is_refused_at_its_field_with_its_node(
    company: Company, leaf: dict[str, Any], pointer: str, words: str
) -> None:
    body = with_threshold("1")
    body["rules"][0]["criteria"]["root"]["items"] = [{"id": "n1", **leaf}]

    found = problems_of(company, sent(company, smb=body))

    assert any(at == f"{LEAF}/{pointer}" and node == "n1" and words in said for at, node, said in found), found


def test_half_filled_rule_is_refused_and_never_a_wider_rule(company: Company) -> None:
    body = with_threshold("1")
    body["rules"][0]["criteria"]["root"]["items"] = []

    ((pointer, node, message),) = problems_of(company, sent(company, smb=body))

    assert (pointer, node) == ("/rules/0/criteria/root/items", "root")
    assert "at least one item" in message


def test_nesting_and_size_are_limited(company: Company) -> None:
    deep: dict[str, Any] = {"id": "n0", "op": "lt", "attribute": "arr", "value": "1"}
    for level in range(1, 51):
        deep = {"id": f"n{level}", "op": "not", "item": deep}
    wide = criteria(*[("lt", "arr", "1")] * 1000)
    body, other = with_threshold("1"), with_threshold("1")
    body["rules"][0]["criteria"]["root"], other["rules"][0]["criteria"] = deep, wide

    assert any("8 levels" in said for _, _, said in problems_of(company, sent(company, smb=body)))
    assert any("200 nodes" in said for _, _, said in problems_of(company, sent(company, smb=other)))


@pytest.mark.parametrize("label", ["Enterprise", " enterprise ", "ENTERPRISE"])
def test_two_segments_that_read_alike_are_refused(company: Company, label: str) -> None:
    found = problems_of(company, sent(company, smb={**with_threshold("1"), "label": label}))

    assert [pointer for pointer, *_ in found] == ["/label"]


def test_segment_is_added_renamed_moved_and_taken_out(company: Company) -> None:
    edit = sent(company)
    edit["segments"] = [
        {"key": "mid", "digest": "", "body": segment("Mid", ("ge", "arr", "50000"))},
        {**edit["segments"][0], "body": {**edit["segments"][0]["body"], "label": "Large"}},
    ]
    edit["removed"] = [
        {"kind": kind, "key": SMB, "digest": company.part(kind, SMB).body_id} for kind in ("segment", "playbook")
    ]

    assert save(company, edit) == ["tier", ENTERPRISE, "tier/mid"]
    assert company.body("dimension", "tier")["segments"] == ["mid", "enterprise"]
    assert not company.version.parts.filter(key=SMB).exists()
    assert company.body("segment", ENTERPRISE)["label"] == "Large"


def test_segment_that_another_dimension_asks_for_cannot_be_taken_out(company: Company) -> None:
    company.save("dimension", "care", {"label": "Care", "segments": ["low"]})
    root = {"id": "n1", "op": "segment", "dimension": "tier", "any_of": ["smb"]}
    rule = {"key": "r", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}
    company.save("segment", "care/low", {"label": "Low", "dimension": "care", "rules": [rule]})
    edit = sent(company)
    edit["removed"] = [{"kind": "segment", "key": SMB, "digest": edit["segments"].pop()["digest"]}]

    ((pointer, _, message),) = problems_of(company, edit)

    assert pointer == "/segments"
    assert message.startswith("Customer Tier / SMB cannot be taken out: a rule of Care / Low asks for it.")


def test_dimensions_that_read_each_other_are_refused(company: Company) -> None:
    company.save("dimension", "care", {"label": "Care", "segments": ["low"]})
    root = {"id": "n1", "op": "segment", "dimension": "tier", "any_of": ["smb"]}
    rule = {"key": "r", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}
    company.save("segment", "care/low", {"label": "Low", "dimension": "care", "rules": [rule]})
    body = with_threshold("1")
    body["rules"][0]["criteria"]["root"] = {"id": "n1", "op": "segment", "dimension": "care", "any_of": ["low"]}

    assert any("circle" in said for _, _, said in problems_of(company, sent(company, smb=body)))


@pytest.mark.parametrize(
    "edit",
    [None, [], {"segments": []}, {"dimension": {"body": {}}, "segments": [{"key": "a", "body": []}]}],
    ids=["nothing", "list", "no dimension", "body is a list"],
)
def test_malformed_edit_is_refused(edit: object) -> None:
    with pytest.raises(InvalidError):
        read_edit("tier", edit)


def test_frozen_version_cannot_be_saved(company: Company) -> None:
    edit = sent(company, smb=with_threshold("90000"))
    company.submit()
    before = trace(company)

    with pytest.raises(ConflictError, match="frozen"):
        save(company, edit)
    assert trace(company) == before


def test_reader_may_not_save(company: Company) -> None:
    edit = sent(company, smb=with_threshold("90000"))
    before = trace(company)

    with pytest.raises(NotAllowedError):
        save(company, edit, actor=company.leah)
    assert trace(company) == before


# The pages


def url(name: str) -> str:
    return reverse(f"frameworks:dimension_{name}", kwargs={"slug": "main", "number": 0, "key": "tier"})


def post(client: Client, name: str, body: object) -> HttpResponse:
    return client.post(url(name), json.dumps(body), content_type="application/json")  # type: ignore[return-value]


def test_page_shows_the_editor_to_who_may_edit_and_reads_only_for_others(company: Company, client: Client) -> None:
    client.force_login(company.ravi)
    editing = client.get(url("edit")).content.decode()
    client.force_login(company.leah)
    reading = client.get(url("edit")).content.decode()

    assert "Save draft" in editing
    assert "Save draft" not in reading
    assert "Read only" in reading


def test_check_says_rules_in_words_and_what_changed(company: Company, client: Client) -> None:
    client.force_login(company.ravi)

    answer = post(client, "check", sent(company, smb=with_threshold("90000"))).json()  # type: ignore[attr-defined]

    said = answer["rules"]["smb"]["rules/0"]
    assert said["sentence"] == "ARR under $90,000"
    assert [piece for piece in said["pieces"] if piece[0]] == [["del", "100,000"], ["ins", "90,000"]]
    assert answer["problems"] == []


def test_save_answers_with_places_conflicts_and_digests(company: Company, client: Client) -> None:
    client.force_login(company.ravi)
    edit = sent(company, smb=with_threshold("90000"))

    refused = post(client, "save", sent(company, smb=with_threshold("")))
    saved = post(client, "save", edit)
    stale = post(client, "save", {**edit, "segments": [*edit["segments"][:1], _other(edit["segments"][1])]})

    assert refused.status_code == 422
    assert refused.json()["problems"][0]["node"] == "n1"  # type: ignore[attr-defined]
    assert saved.json()["written"] == [SMB]  # type: ignore[attr-defined]
    assert stale.status_code == 409
    assert "90000" in stale.json()["conflicts"][0]["theirs"]  # type: ignore[attr-defined]


def _other(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "body": with_threshold("70000")}


def test_get_never_saves_and_others_are_refused(company: Company, client: Client) -> None:
    before = trace(company)

    assert post(client, "save", sent(company)).status_code == 302
    client.force_login(company.leah)
    assert client.get(url("save")).status_code == 405
    assert post(client, "save", sent(company, smb=with_threshold("1"))).status_code == 403
    assert trace(company) == before
    assert company.version.state == FrameworkVersion.State.DRAFT


def test_typed_text_with_two_readings_is_taken_and_said_to_be_unclear(company: Company, client: Client) -> None:
    edit = sent(company)
    edit["texts"] = {"enterprise": {"rules/0": "employee_count >= 2000 or arr >= 500000 and employee_count >= 10"}}
    client.force_login(company.ravi)
    address = reverse("frameworks:dimension_check", args=["main", 0, "tier"])

    said = client.post(address, json.dumps(edit), content_type="application/json").json()

    rule = said["rules"]["enterprise"]["rules/0"]
    assert said["problems"] == []
    assert rule["unclear"] == ['Write parentheses around "and": nobody can see how far it reaches.']
    assert rule["text"] == "employee_count >= 2000 or (arr >= 500000 and employee_count >= 10)"
    assert "unclear" not in said["rules"]["smb"]["rules/0"]


def test_typed_text_with_parentheses_is_clear(company: Company, client: Client) -> None:
    edit = sent(company)
    edit["texts"] = {"enterprise": {"rules/0": "employee_count >= 2000 or (arr >= 500000 and employee_count >= 10)"}}
    client.force_login(company.ravi)
    address = reverse("frameworks:dimension_check", args=["main", 0, "tier"])

    said = client.post(address, json.dumps(edit), content_type="application/json").json()

    assert "unclear" not in said["rules"]["enterprise"]["rules/0"]
