"""What changed, in words, and how much it matters."""

import copy
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from frameworks.parts import PartError, level_digests
from frameworks.parts.diff import diff_bodies, diff_parts, reworded, word_diff
from frameworks.parts.materiality import highest_materiality, materiality
from frameworks.parts.moves import moves
from tests.frameworks.parts.bodies import BODIES

NAMES: dict[tuple[str, str], dict[str, Any]] = {
    ("data_source", "employee_count"): {"label": "Employees", "data_type": "integer"},
    ("data_source", "arr"): BODIES["data_source", "arr"],
    ("data_source", "industry"): {"label": "Industry", "data_type": "text"},
    ("data_source", "weekly_active_share"): {
        "label": "Weekly active users",
        "data_type": "decimal",
        "scale": 2,
        "unit": "percent",
    },
    ("dimension", "customer_tier"): BODIES["dimension", "customer_tier"],
    ("segment", "customer_tier/strategic"): {"label": "Strategic", "dimension": "customer_tier"},
    ("segment", "customer_tier/enterprise"): BODIES["segment", "customer_tier/enterprise"],
    ("segment", "customer_tier/smb"): {"label": "SMB", "dimension": "customer_tier"},
}


def changes_of(kind, key, edit):
    """The one part change that `edit` of a body makes."""
    base = {**BODIES, **NAMES}
    body = copy.deepcopy(base[kind, key])
    edit(body)
    return diff_parts(base, {**base, (kind, key): body})


def root_of(body):
    return body["rules"][0]["criteria"]["root"]


def leaf(body, index):
    return root_of(body)["items"][index]


TABLE = [
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: leaf(b, 0).update(value="1500"),
        "Segment Customer Tier / Enterprise: employees ≥ 1,000 → ≥ 1,500",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: leaf(b, 1).update(op="gt", value="125000.50"),
        "Segment Customer Tier / Enterprise: ARR ≥ $100,000 → > $125,000.50",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: root_of(b).update(op="any"),
        "Segment Customer Tier / Enterprise: group “all of” → group “any of”",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: root_of(b)["items"].append(
            {"id": "n9", "op": "in", "attribute": "industry", "values": ["Energy", "Media"]}
        ),
        "Segment Customer Tier / Enterprise: added: industry one of Energy, Media",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: root_of(b)["items"].pop(),
        "Segment Customer Tier / Enterprise: removed: ARR ≥ $100,000",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: root_of(b)["items"].reverse(),
        "Segment Customer Tier / Enterprise: conditions rearranged",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: leaf(b, 0).update(missing="true"),
        "Segment Customer Tier / Enterprise: employees ≥ 1,000 → ≥ 1,000 (missing counts as true)",
        "semantic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: b.update(label="Large accounts"),
        "Segment Customer Tier / Large accounts: Label Enterprise → Large accounts",
        "cosmetic",
    ),
    (
        "segment",
        "customer_tier/enterprise",
        lambda b: b["rules"].append({**b["rules"][0], "key": "size"}),
        "Segment Customer Tier / Enterprise: Rule “Size” added",
        "semantic",
    ),
    (
        "dimension",
        "customer_tier",
        lambda b: b.update(segments=["enterprise", "strategic", "smb"]),
        "Dimension Customer Tier: Enterprise moved above Strategic",
        "semantic",
    ),
    (
        "dimension",
        "customer_tier",
        lambda b: b.update(segments=["enterprise", "smb"], hit_policy="ranked"),
        "Dimension Customer Tier: Hit policy basis_precedence → ranked; Segments: Strategic removed",
        "semantic",
    ),
    (
        "policy",
        "guard",
        lambda b: b.update(max_unassigned="0.3", expectations={"customer_tier/smb": "0.775"}),
        "Guard policy: Max unassigned 25 % → 30 %; Expectations of Customer Tier / SMB 75 % → 77.5 %",
        "semantic",
    ),
    (
        "policy",
        "overrides",
        lambda b: b.update(arr_two_person_over="250000"),
        "Override policy: ARR two person over $100,000 → $250,000",
        "semantic",
    ),
    (
        "policy",
        "signoff",
        lambda b: b["requirements"][0].update(minimum=2),
        "Sign-off policy: Minimum all → 2",
        "semantic",
    ),
    (
        "playbook",
        "customer_tier/enterprise",
        lambda b: b["actions"][0].update(due_business_days=10),
        "Playbook Customer Tier / Enterprise: Action “Hold a planning call” › Due business days 5 → 10",
        "operational",
    ),
    (
        "playbook",
        "customer_tier/enterprise",
        lambda b: b["actions"].reverse(),
        "Playbook Customer Tier / Enterprise: “Monthly check-in” moved above “Hold a planning call”",
        "operational",
    ),
    (
        "playbook",
        "customer_tier/enterprise",
        lambda b: b.update(pod={"aes_per_manager": 5}),
        "Playbook Customer Tier / Enterprise: Pod added",
        "operational",
    ),
    (
        "term",
        "arr",
        lambda b: b.update(wording="Yearly value of all running subscriptions."),
        "Definition ARR: Wording Yearly value of running subscriptions. → Yearly value of all running subscriptions.",
        "semantic",
    ),
    ("term", "arr", lambda b: b.pop("owner"), "Definition ARR: Owner Finance → nothing", "operational"),
]


@pytest.mark.parametrize(("kind", "key", "edit", "text", "level"), TABLE)
def test_edit_is_told_in_words_with_its_level(kind, key, edit, text, level):
    changes = changes_of(kind, key, edit)

    assert [change.text for change in changes] == [text]
    assert [materiality(change) for change in changes] == [level]


def test_same_parts_have_no_changes():
    respelled = copy.deepcopy(BODIES)
    respelled["policy", "guard"]["max_unassigned"] = "0.250"
    respelled["playbook", "customer_tier/enterprise"]["pod"] = {}

    changes = diff_parts(BODIES, respelled)

    assert changes == []
    assert highest_materiality(changes) is None


def test_new_node_ids_are_no_change():
    assert changes_of("segment", "customer_tier/enterprise", lambda b: leaf(b, 0).update(id="other")) == []


def test_threshold_edited_under_new_ids_is_still_one_change():
    def retype(body):
        root_of(body)["id"] = "a"
        leaf(body, 0).update(id="b", value="1500")
        leaf(body, 1).update(id="c")

    changes = changes_of("segment", "customer_tier/enterprise", retype)

    assert [change.text for change in changes] == ["Segment Customer Tier / Enterprise: employees ≥ 1,000 → ≥ 1,500"]


def test_leaf_put_into_a_new_group_is_told_as_a_move():
    def group(body):
        items = root_of(body)["items"]
        items[1] = {"id": "n9", "op": "any", "items": [items[1]]}

    (change,) = changes_of("segment", "customer_tier/enterprise", group)

    assert [field.text for field in change.fields] == [
        "added: group “any of”",
        "ARR ≥ $100,000 moved into “any of”",
    ]


def test_part_added_and_removed_has_the_level_of_its_content():
    new = {key: body for key, body in BODIES.items() if key != ("term", "arr")}
    new["playbook", "customer_tier/smb"] = {"summary": "Digital first."}

    changes = diff_parts(BODIES, new)

    assert [(change.text, change.level) for change in changes] == [
        ("Playbook Customer Tier / SMB added", "operational"),
        ("Definition ARR removed", "semantic"),
    ]
    assert highest_materiality(changes) == "semantic"


def test_field_change_carries_place_values_and_words():
    (change,) = changes_of("term", "arr", lambda b: b.update(wording="Yearly value of live subscriptions."))

    (field,) = change.fields
    assert (field.pointer, field.change) == ("/wording", "changed")
    assert (field.old, field.new) == ("Yearly value of running subscriptions.", "Yearly value of live subscriptions.")
    assert field.words == [
        ("equal", "Yearly value of "),
        ("delete", "running"),
        ("insert", "live"),
        ("equal", " subscriptions."),
    ]


@pytest.mark.parametrize(("old", "new"), [("", ""), ("", "a b"), ("a b", ""), ("straße 1,5 a", "Straße 1,6 b a")])
def test_word_diff_spells_both_texts(old, new):
    diff = word_diff(old, new)

    assert "".join(text for op, text in diff if op != "insert") == old
    assert "".join(text for op, text in diff if op != "delete") == new


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ABC", "ABC", []),
        ("AB", "BA", [("B", "above", "A")]),
        ("ABC", "BCA", [("A", "below", "C")]),
        ("ABCD", "DABC", [("D", "above", "A")]),
        ("ABC", "AXC", []),
        ("", "A", []),
    ],
)
def test_moves_are_the_fewest(old, new, expected):
    assert moves(list(old), list(new)) == expected


SCALARS = st.sampled_from(["", "x", "semantic", "part", "0.5", "100000", "all", "n2", "any", "arr", 1, 30, True, None])


def paths_of(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from paths_of(child, (*path, name))


def mutate(body, data):
    """`body` with one place removed, replaced, repeated or its list turned round."""
    body = copy.deepcopy(body)
    assume(body)
    path = data.draw(st.sampled_from([path for path in paths_of(body) if path]))
    parent = body
    for step in path[:-1]:
        parent = parent[step]
    match data.draw(st.sampled_from(["remove", "replace", "reverse", "repeat"])):
        case "remove":
            del parent[path[-1]]
        case "replace":
            parent[path[-1]] = data.draw(SCALARS)
        case "reverse" if isinstance(parent[path[-1]], list):
            parent[path[-1]].reverse()
        case "repeat" if isinstance(parent, list):
            parent.insert(0, copy.deepcopy(parent[path[-1]]))
    return body


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_diff_has_the_level_at_which_the_digests_differ(data):
    kind, key = data.draw(st.sampled_from(sorted(BODIES)))
    old = BODIES[kind, key]
    new = old
    for _ in range(data.draw(st.integers(1, 3))):
        new = mutate(new, data)
    try:
        digests = level_digests(kind, new)
    except PartError:
        assume(False)

    fields = diff_bodies(kind, key, old, new)

    before = level_digests(kind, old)
    expected = [level for level in ("semantic", "operational", "cosmetic") if before[level] != digests[level]]
    assert highest_materiality(fields) == (expected[0] if expected else None)
    assert all(field.text for field in fields)


LONG = "The yearly value of all signed subscriptions of a customer, without usage fees, as finance closes the quarter."


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (LONG.replace("signed", "invoiced"), "“signed” → “invoiced”"),
        (LONG.replace("signed ", ""), "“signed” removed"),
        (LONG.replace("fees", "fees and discounts"), "“and discounts” added"),
        (LONG.replace("all signed subscriptions", "some contracts"), "“all signed subscriptions” → “some contracts”"),
        (LONG.replace("signed", "invoiced").replace("quarter", "month"), "“signed” → “invoiced”; “quarter” → “month”"),
        (LONG.replace("The yearly", "A yearly").replace(".", "!"), "“The” → “A”; “.” → “!”"),
        (LONG.replace(" value", "  value"), "spaces"),
        ("Something else.", f"“{LONG[:79].rstrip()}…” → “Something else.”"),
    ],
)
def test_long_text_says_which_words_are_others(new: str, said: str) -> None:
    assert reworded(LONG, new) == said


def test_many_places_of_a_long_text_are_counted() -> None:
    words = [f"word{number}" for number in range(60)]
    other = [f"{word}x" if number % 6 == 0 else word for number, word in enumerate(words)]

    said = reworded(" ".join(words), " ".join(other))

    assert said.startswith("“word0” → “word0x”; “word6” → “word6x”")
    assert said.endswith("“word30” → “word30x”; and 4 more")


def test_reworded_part_says_its_words() -> None:
    base = {"label": "ARR", "wording": LONG.replace("signed", "invoiced")}
    (change,) = diff_parts({("term", "arr"): base}, {("term", "arr"): {**base, "wording": LONG}})

    assert change.text == "Definition ARR: Wording reworded: “invoiced” → “signed”"
