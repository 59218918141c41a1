"""Forms made from schemas: what is stored comes back as it was, what cannot be read stays as it was typed."""

from typing import Any

import pytest
from django.http import QueryDict

from frameworks.exchange.templates import list_templates
from frameworks.part_forms.form import PartForm, options_of, schema_of
from frameworks.part_forms.merging import differences, merged
from frameworks.part_forms.nodes import Node, build
from frameworks.part_forms.reading import read_body
from frameworks.part_forms.shapes import shapes_of
from frameworks.parts import KINDS, body_digest
from frameworks.parts.policy import POLICIES

PARTS = [part for template in list_templates() for part in template.parts if part[0] != "segment"]


def browser(fields: list[Node]) -> dict[str, list[str]]:
    """What a browser posts for these fields, untouched."""
    posted: dict[str, list[str]] = {}
    for node in fields:
        if node.widget == "group":
            posted |= browser(node.fields)
        elif node.widget in ("rows", "pairs"):
            for row in node.rows:
                posted |= browser(row.fields)
        elif node.widget == "ticks":
            posted |= {node.name: list(node.chosen)} if node.chosen else {}
        elif node.widget == "tick":
            posted |= {node.name: ["on"]} if node.value else {}
        elif node.widget != "fixed":
            posted[node.name] = [node.value.replace("\n", "\r\n")]
    return posted


def form(kind: str, key: str, **fields: str) -> PartForm:
    return posted_form(kind, key, {name.replace("__", "."): [value] for name, value in fields.items()})


def posted_form(kind: str, key: str, fields: dict[str, list[str]]) -> PartForm:
    data = QueryDict(mutable=True)
    for name, values in fields.items():
        data.setlist(name, values)
    return PartForm.posted(kind, key, data, {})


def node(found: PartForm, name: str) -> Any:
    return next(each for each in found.tree.places.values() if getattr(each, "name", "") == name)


@pytest.mark.parametrize(("kind", "key", "body"), PARTS, ids=[f"{part[0]}/{part[1]}" for part in PARTS])
def test_form_posted_untouched_gives_the_same_digest(kind: str, key: str, body: dict[str, Any]) -> None:
    options = {"UsedBy.attributes": [("arr", "ARR")], "UsedBy.segments": [("customer_tier/smb", "SMB")]}
    fields = build(schema_of(kind, key), body, options=options).fields

    found = posted_form(kind, key, browser(fields))

    assert found.check()
    assert body_digest(kind, found.body) == body_digest(kind, body)


@pytest.mark.parametrize("kind", [*(kind for kind in KINDS if kind != "policy"), *POLICIES])
def test_no_field_has_a_name_that_the_form_needs_itself(kind: str) -> None:
    model = POLICIES[kind] if kind in POLICIES else schema_of(kind, kind)

    assert not {shape.name for shape in shapes_of(model)} & {"digest", "key", "csrfmiddlewaretoken"}


def test_percentages_are_typed_as_percentages() -> None:
    share = {"max_share_moved": "25", "max_segment_change": "12.5 %", "max_unassigned": "0", "max_dominance": "100%"}
    found = form("policy", "guard", **share, warn_dominance="70")

    assert found.check()
    assert found.body["max_segment_change"] == "0.125"
    assert found.body["max_share_moved"] == "0.25"
    assert node(found, "max_segment_change").value == "12.5"


def test_what_cannot_be_read_stays_as_typed_with_its_error() -> None:
    found = form("policy", "guard", max_share_moved="a quarter", max_dominance="180", max_unassigned="5")

    assert not found.check()
    assert (node(found, "max_share_moved").value, len(node(found, "max_share_moved").errors)) == ("a quarter", 1)
    assert node(found, "max_dominance").errors == ["Write a percentage from 0 to 100."]
    assert node(found, "warn_dominance").errors == ["This is needed."]
    assert node(found, "max_unassigned").value == "5"


def test_rows_keep_their_order_on_the_page_and_blank_ones_are_left_out() -> None:
    found = form(
        "playbook",
        "tier/smb",
        summary="Self-service.",
        actions__7__key="b",
        actions__7__title="Second",
        actions__7__role="csm",
        actions__7__due_business_days="1,000",
        actions__3__key="",
        actions__3__trigger="on_entry",
        actions__2__key="a",
        actions__2__title="First",
        actions__2__role="csm",
        actions__2__due_business_days="x",
    )

    assert not found.check()
    assert [row["key"] for row in found.body["actions"]] == ["b", "a"]
    assert found.body["actions"][0]["due_business_days"] == 1000
    assert node(found, "actions.1.due_business_days").errors == ["Write a whole number here, without quotes."]


def test_error_of_a_row_as_a_whole_stands_at_the_row() -> None:
    row = {"actions.0.key": ["a"], "actions.0.title": ["A"], "actions.0.role": ["csm"]}
    more = {"actions.0.due_business_days": ["1"], "actions.0.trigger": ["recurring"], "summary": ["Calls."]}
    found = posted_form("playbook", "tier/smb", row | more)

    assert not found.check()
    assert "A recurring action" in found.tree.places["actions", "0"].errors[0]


def test_name_given_twice_is_refused_and_neither_line_is_lost() -> None:
    names = {"max_days_by_reason.0.key": ["pilot"], "max_days_by_reason.0.value": ["30"]}
    again = {"max_days_by_reason.1.key": ["pilot"], "max_days_by_reason.1.value": ["60"]}
    found = posted_form("policy", "overrides", names | again | {"arr_two_person_over": ["100,000"]})

    assert not found.check()
    assert list(found.body["max_days_by_reason"].values()) == [30, 60]
    assert found.body["arr_two_person_over"] == "100000"
    first, again = node(found, "max_days_by_reason").rows
    assert not any(each.errors for each in (first, *first.fields))
    assert any(each.errors for each in (again, *again.fields))


@pytest.mark.parametrize(
    ("button", "expected"),
    [
        ("_add=actions", ["a", "b", ""]),
        ("_drop=actions.0", ["b"]),
        ("_up=actions.1", ["b", "a"]),
        ("_up=actions.9", ["a", "b"]),
    ],
)
def test_row_buttons_work_without_script(button: str, expected: list[str]) -> None:
    name, _, value = button.partition("=")
    rows = {"actions.0.key": ["a"], "actions.1.key": ["b"]}
    found = posted_form("playbook", "tier/smb", {**rows, name: [value]})

    assert found.is_rearranged
    assert [row.get("key", "") for row in found.body["actions"]] == expected


def test_minimum_is_a_number_or_all() -> None:
    lines = {f"requirements.0.{name}": [value] for name, value in (("code", "x"), ("label", "X"), ("per", "set"))}
    more = {"requirements.0.kinds": ["term"], "requirements.0.pool.role": ["revops"]}

    for typed, stored in (("all", "all"), ("2", 2)):
        found = posted_form("policy", "signoff", lines | more | {"requirements.0.minimum": [typed]})
        assert (found.check(), found.body["requirements"][0]["minimum"]) == (True, stored)


def test_roles_are_chosen_by_name_and_what_is_stored_stays_to_be_chosen() -> None:
    options = options_of({}, {"revops": "RevOps", "finance": "Finance"})
    body = {"policy": "signoff", "requirements": [{"code": "x", "label": "X", "pool": {"role": "cs_ops"}}]}

    (row,) = PartForm("policy", "signoff", "", body, options).tree.fields[1].rows
    pool = next(node for node in row.fields if node.shape.name == "pool")
    role = next(node for node in pool.fields if node.shape.name == "role")

    assert role.widget == "choice"
    assert role.options == [("revops", "RevOps", False), ("finance", "Finance", False), ("cs_ops", "CS ops", True)]


def test_key_of_a_new_part_comes_from_its_label() -> None:
    found = form("term", "", label="Net revenue-retention", wording="NRR.")

    assert (found.check(), found.key) == (True, "net_revenue_retention")


# Two texts

BASE = {"summary": "Old.", "coverage": {"accounts_per_ae": 10, "accounts_per_csm": 20}, "icp": ["One"]}
ACTION = {"key": "call", "title": "Call", "role": "csm", "due_business_days": 5}


def test_differences_prefer_the_side_that_changed_and_mark_what_both_changed() -> None:
    mine = {
        **BASE,
        "summary": "Mine.",
        "coverage": {"accounts_per_ae": 12, "accounts_per_csm": 20},
        "actions": [ACTION],
    }
    theirs = {**BASE, "summary": "Theirs.", "icp": ["One", "Two"]}

    found = differences(schema_of("playbook", "x"), base=BASE, mine=mine, theirs=theirs)

    assert {(".".join(each.path), each.preferred, each.both_changed) for each in found} == {
        ("summary", "mine", True),
        ("coverage.accounts_per_ae", "mine", False),
        ("icp", "theirs", False),
        ("actions.call", "mine", False),
    }


def test_merged_takes_each_piece_from_the_side_that_was_chosen() -> None:
    other = {**ACTION, "key": "mail", "title": "Mail"}
    mine = {
        **BASE,
        "summary": "Mine.",
        "coverage": {"accounts_per_ae": 12, "accounts_per_csm": 20},
        "actions": [ACTION],
    }
    theirs = {**BASE, "summary": "Theirs.", "icp": ["One", "Two"], "actions": [other]}
    picks = {"pick.coverage.accounts_per_ae": "mine", "pick.actions.call": "mine", "pick.icp": "theirs"}

    body = merged(schema_of("playbook", "x"), mine=mine, theirs=theirs, picks=picks)

    assert body == {
        "summary": "Theirs.",
        "coverage": {"accounts_per_ae": 12, "accounts_per_csm": 20},
        "icp": ["One", "Two"],
        "actions": [other, ACTION],
    }


def test_rows_in_another_order_are_one_choice() -> None:
    other = {**ACTION, "key": "mail", "title": "Mail"}
    mine, theirs = {"actions": [ACTION, other]}, {"actions": [other, {**ACTION, "title": "Phone"}]}

    found = differences(schema_of("playbook", "x"), base={"actions": [ACTION, other]}, mine=mine, theirs=theirs)

    assert [each.path for each in found] == [("actions",)]


def test_reading_nothing_gives_no_content() -> None:
    assert read_body(schema_of("term", "x"), QueryDict()) == {}
