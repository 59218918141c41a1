"""What a digest sees, and what it must not see."""

import copy
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameworks.parts import (
    PartError,
    body_digest,
    canonical,
    combine_digests,
    level_digest,
    level_digests,
    parse_body,
    strip_node_ids,
    to_body,
)
from tests.frameworks.parts.bodies import BODIES

SEGMENT = BODIES["segment", "customer_tier/enterprise"]


def shuffled(value, draw):
    """The same JSON value with the names of every object in another order."""
    if isinstance(value, dict):
        names = draw(st.permutations(sorted(value)))
        return {name: shuffled(value[name], draw) for name in names}
    if isinstance(value, list):
        return [shuffled(item, draw) for item in value]
    return value


@given(data=st.data())
def test_canonical_is_stable_under_the_order_of_names(data):
    kind, key = data.draw(st.sampled_from(sorted(BODIES)))
    body = BODIES[kind, key]

    assert canonical(kind, shuffled(body, data.draw)) == canonical(kind, body)


@pytest.mark.parametrize(("kind", "key"), BODIES)
def test_digest_of_a_written_body_is_that_of_the_given_one(kind, key):
    body = BODIES[kind, key]

    written = to_body(parse_body(kind, body))

    assert body_digest(kind, written) == body_digest(kind, body)
    assert level_digests(kind, written) == level_digests(kind, body)


def test_digest_is_the_hash_of_the_canonical_text():
    text = canonical("term", {"wording": "y", "label": "x"})

    assert text == b'{"body":{"label":"x","wording":"y"},"kind":"term"}'
    assert body_digest("term", {"wording": "y", "label": "x"}) == hashlib.sha256(text).hexdigest()


def test_cosmetic_digest_is_the_body_digest():
    assert level_digest("segment", SEGMENT, "cosmetic") == body_digest("segment", SEGMENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Caf\u00e9", "Cafe\u0301"),
        ("first\r\nsecond", "first\nsecond"),
        ("words", "  words \n"),
    ],
)
def test_text_spelled_differently_has_the_same_digest(one, other):
    assert body_digest("term", {"label": "x", "wording": one}) == body_digest("term", {"label": "x", "wording": other})


def test_number_spelled_differently_has_the_same_digest():
    guard = BODIES["policy", "guard"]

    assert body_digest("policy", {**guard, "max_unassigned": "0.250"}) == body_digest("policy", guard)
    assert body_digest("policy", {**guard, "max_unassigned": "0.26"}) != body_digest("policy", guard)


def test_empty_fields_are_no_content():
    body = {"label": "x", "wording": "y"}

    assert body_digest("term", {**body, "owner": None, "variants": [], "source": ""}) == body_digest("term", body)


def test_node_ids_are_in_no_digest():
    other = json.loads(json.dumps(SEGMENT).replace('"n1"', '"root"').replace('"n3"', '"money"'))

    assert other != SEGMENT
    assert level_digests("segment", other) == level_digests("segment", SEGMENT)


def test_strip_node_ids_keeps_ids_that_are_values():
    node = {"id": "n1", "op": "signal", "details": {"id": "round-7"}, "items": [{"id": "n2", "op": "always"}]}

    assert strip_node_ids(node) == {"op": "signal", "details": {"id": "round-7"}, "items": [{"op": "always"}]}


def edited(kind, key, edit):
    body = copy.deepcopy(BODIES[kind, key])
    edit(body)
    return body


CHANGES = [
    ("cosmetic", "segment", "customer_tier/enterprise", lambda b: b.update(label="Enterprise accounts")),
    ("cosmetic", "segment", "customer_tier/enterprise", lambda b: b["rules"][0].update(note="Agreed.")),
    ("operational", "segment", "customer_tier/enterprise", lambda b: b.update(api_name="ENT")),
    (
        "semantic",
        "segment",
        "customer_tier/enterprise",
        lambda b: b["rules"][0]["criteria"]["root"]["items"][0].update(value="1500"),
    ),
    ("semantic", "segment", "customer_tier/enterprise", lambda b: b["rules"][0].update(basis="needs")),
    ("cosmetic", "dimension", "customer_tier", lambda b: b.update(label="Tier")),
    ("semantic", "dimension", "customer_tier", lambda b: b["segments"].reverse()),
    ("semantic", "dimension", "customer_tier", lambda b: b.update(hit_policy="ranked")),
    ("operational", "playbook", "customer_tier/enterprise", lambda b: b.update(owner="VP Sales")),
    ("operational", "playbook", "customer_tier/enterprise", lambda b: b["targets"][0].update(value="92")),
    ("semantic", "term", "arr", lambda b: b.update(wording="Something else.")),
    ("operational", "term", "arr", lambda b: b["variants"][0].update(wording="Yet another.")),
    ("cosmetic", "term", "arr", lambda b: b.update(label="Annual recurring revenue")),
    ("semantic", "data_source", "arr", lambda b: b.update(freshness_days=90)),
    ("operational", "data_source", "arr", lambda b: b.update(system="CRM")),
    ("semantic", "meta", "meta", lambda b: b.update(time_zone="UTC")),
    ("cosmetic", "meta", "meta", lambda b: b.update(name="Segments")),
    ("semantic", "policy", "guard", lambda b: b.update(max_unassigned="0.3")),
    ("cosmetic", "policy", "signoff", lambda b: b["requirements"][0].update(label="Terms")),
    ("semantic", "policy", "signoff", lambda b: b["requirements"][0].update(minimum=2)),
]
RANKS = ["cosmetic", "operational", "semantic"]


@pytest.mark.parametrize(("level", "kind", "key", "edit"), CHANGES)
def test_edit_changes_the_digests_up_to_its_level(level, kind, key, edit):
    before = level_digests(kind, BODIES[kind, key])

    after = level_digests(kind, edited(kind, key, edit))

    changed = {name for name in RANKS if before[name] != after[name]}
    assert changed == set(RANKS[: RANKS.index(level) + 1])


def test_choice_label_is_cosmetic_and_its_id_is_not():
    body = {"label": "Stage", "data_type": "choice", "choices": [{"id": "customer", "label": "Customer"}]}
    renamed = {**body, "choices": [{"id": "customer", "label": "Client"}]}
    replaced = {**body, "choices": [{"id": "client", "label": "Customer"}]}

    assert level_digest("data_source", renamed, "semantic") == level_digest("data_source", body, "semantic")
    assert body_digest("data_source", renamed) != body_digest("data_source", body)
    assert level_digest("data_source", replaced, "semantic") != level_digest("data_source", body, "semantic")


def test_float_inside_criteria_is_refused():
    body = edited("segment", "customer_tier/enterprise", lambda b: b["rules"][0]["criteria"]["root"].update(value=1.5))

    with pytest.raises(PartError) as refusal:
        body_digest("segment", body)

    assert [(issue.pointer, issue.code) for issue in refusal.value.issues] == [
        ("/rules/0/criteria/root/value", "float")
    ]


def test_combined_digest_does_not_depend_on_the_order():
    parts = [(kind, key, body_digest(kind, body)) for (kind, key), body in BODIES.items()]

    assert combine_digests(parts) == combine_digests(reversed(parts))
    assert combine_digests(parts) != combine_digests(parts[1:])


def test_combined_digest_refuses_a_part_twice_and_no_digest():
    digest = body_digest("term", BODIES["term", "arr"])

    with pytest.raises(ValueError, match="twice"):
        combine_digests([("term", "arr", digest), ("term", "arr", digest)])
    with pytest.raises(ValueError, match="digest"):
        combine_digests([("term", "arr", "")])


@pytest.mark.parametrize(
    "stated",
    [{"basis_of": "effective"}, {"base_basis": "firmographic"}, {"min_dwell_days": 0}, {"max_step": None}],
)
def test_setting_that_states_its_meaning_when_absent_changes_no_digest(stated):
    body = {"label": "Tier", "segments": ["high", "low"]}

    assert body_digest("dimension", {**body, **stated}) == body_digest("dimension", body)


def test_segment_that_nests_and_moves_nothing_keeps_its_digest():
    body = {"label": "High", "dimension": "tier"}

    assert body_digest("segment", {**body, "parent": None, "move": None, "stay": None, "anti_icp": []}) == body_digest(
        "segment", body
    )


def test_sign_off_policy_without_days_keeps_its_digest_and_days_are_operational():
    body = BODIES["policy", "signoff"]

    before = level_digests("policy", {**body, "review_days": None})
    after = level_digests("policy", {**body, "review_days": 5})

    assert before == level_digests("policy", body)
    assert after["semantic"] == before["semantic"]
    assert after["operational"] != before["operational"]
