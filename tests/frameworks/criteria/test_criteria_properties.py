"""What holds for every rule and every account."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frameworks.criteria.ast import All, AnyOf, AtLeast, Not, Sustained, node_document, walk, without_ids
from frameworks.criteria.english import node_text, sentence
from frameworks.criteria.text import parse_text, print_text
from frameworks.criteria.text_keys import matching_key
from tests.frameworks.criteria.rules import ROWS, RULES
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS, LABELS, read, verdicts

few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def _not(root, name):
    return {"id": name, "op": "not", "item": root}


def _renamed(root, prefix):
    copy = {**root, "id": f"{prefix}{root['id']}"}
    if "item" in root:
        copy["item"] = _renamed(root["item"], prefix)
    if "items" in root:
        copy["items"] = [_renamed(item, prefix) for item in root["items"]]
    return copy


def _combined(node, of):
    """The verdict a node must have, given the verdicts of its children."""
    items = [of[child.id] for child in node.children]
    trues, unknowns = items.count(True), items.count(None)
    if isinstance(node, Not):
        return None if items[0] is None else not items[0]
    k = {All: len(items), AnyOf: 1}.get(type(node)) or node.k
    return True if trues >= k else None if trues + unknowns >= k else False


def _outside_history(node):
    yield node
    for child in node.children if not isinstance(node, Sustained) else ():
        yield from _outside_history(child)


@pytest.mark.django_db
@few
@given(RULES, ROWS)
def test_group_follows_from_its_items(root, rows):
    nodes = list(walk(read(root).root))

    for found in verdicts(nodes, rows):
        of = {node.id: value for node, value in zip(nodes, found, strict=True)}
        for node in _outside_history(nodes[0]):
            if isinstance(node, All | AnyOf | AtLeast | Not):
                assert of[node.id] is _combined(node, of)


@pytest.mark.django_db
@few
@given(st.lists(RULES, min_size=1, max_size=3), ROWS)
def test_de_morgan_and_double_negation_hold(roots, rows):
    items = [_renamed(root, f"i{number}-") for number, root in enumerate(roots)]
    negated = [_not(item, f"not{number}") for number, item in enumerate(items)]
    pairs = [
        (_not({"id": "g", "op": "all", "items": items}, "g0"), {"id": "g", "op": "any", "items": negated}),
        (_not({"id": "g", "op": "any", "items": items}, "g0"), {"id": "g", "op": "all", "items": negated}),
        (_not(_not(items[0], "g0"), "g1"), items[0]),
    ]

    nodes = [read(root).root for pair in pairs for root in pair]

    for found in verdicts(nodes, rows):
        assert found[0::2] == found[1::2]


@pytest.mark.django_db
@few
@given(st.lists(RULES, min_size=2, max_size=4), ROWS, st.sampled_from(["all", "any", "at_least"]), st.randoms())
def test_order_of_items_does_not_matter(roots, rows, op, shuffling: random.Random):
    items = [_renamed(root, f"i{number}-") for number, root in enumerate(roots)]
    group = {"id": "g", "op": op, "items": items, **({"k": 2} if op == "at_least" else {})}
    shuffled = {**group, "items": shuffling.sample(items, len(items))}

    for first, second in verdicts([read(group).root, read(shuffled).root], rows):
        assert first is second


@few
@given(RULES)
def test_text_form_reads_back_as_the_same_rule_with_the_same_ids(root):
    rule = read(root)

    printed = print_text(rule.root)
    again = parse_text(printed, previous=rule, attributes=ATTRIBUTES, dimensions=DIMENSIONS)
    fresh = parse_text(printed, previous=None, attributes=ATTRIBUTES, dimensions=DIMENSIONS)

    assert again.document() == rule.document()
    assert without_ids(fresh.document()) == without_ids(rule.document())
    assert print_text(fresh.root) == printed


@few
@given(RULES, RULES)
def test_edited_text_never_gives_one_id_to_two_nodes(before, after):
    previous = read(before)

    edited = parse_text(print_text(read(after).root), previous=previous, attributes=ATTRIBUTES, dimensions=DIMENSIONS)

    ids = [node.id for node in walk(edited.root)]
    assert len(ids) == len(set(ids))
    assert without_ids(edited.document()) == without_ids(read(after).document())


@few
@given(RULES)
def test_canonical_document_is_read_back_unchanged(root):
    rule = read(root)

    assert read(node_document(rule.root)).document() == rule.document()


@few
@given(RULES)
def test_every_rule_can_be_said(root):
    rule = read(root)

    assert sentence(rule.root, ATTRIBUTES, LABELS)
    assert all(node_text(node, ATTRIBUTES, LABELS) for node in walk(rule.root))


@few
@given(st.text())
def test_matching_key_of_a_key_is_the_key(text):
    key = matching_key(text)

    assert key is None or matching_key(key) == key
