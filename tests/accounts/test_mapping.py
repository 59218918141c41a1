"""Merged, split and retired segments in the engine: the successor is the same place, a split is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from accounts.models import Account, Assignment, Override, Transition
from frameworks.models import Framework, FrameworkVersion, Segment, User
from tests import oracle
from tests.accounts import storing
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.strategies import Bodies
from tests.frameworks.making import person
from tests.oracle import Facts, State

pytestmark = pytest.mark.django_db

CUTS = {
    "big": leaf("ge", "arr", "1000"),
    "east": leaf("range", "arr", ge="500", lt="1000"),
    "west": leaf("range", "arr", ge="100", lt="500"),
    "small": leaf("lt", "arr", "100"),
}


@pytest.fixture
def author() -> User:
    return person("ravi", "revops")


def four(settings: Mapping[str, Any] | None = None) -> Bodies:
    """big, east, west and small by ARR."""
    return framework({"d": ({"downgrade": "auto", **(settings or {})}, {k: [rule(v)] for k, v in CUTS.items()})})


def merged(settings: Mapping[str, Any] | None = None, **entry: Any) -> Bodies:
    """east and west have become middle, from 100 to 1,000."""
    cuts = {"big": CUTS["big"], "middle": leaf("range", "arr", ge="100", lt="1000"), "small": CUTS["small"]}
    gone = [retirement("east", "middle", **entry), retirement("west", "middle", **entry)]
    how = {"downgrade": "auto", **(settings or {}), "retired": gone}
    return framework({"d": (how, {k: [rule(v)] for k, v in cuts.items()})})


def split(settings: Mapping[str, Any] | None = None, **entry: Any) -> Bodies:
    """What `merged` made one is two again, with other names."""
    cuts = {
        "big": CUTS["big"],
        "upper": CUTS["east"],
        "lower": CUTS["west"],
        "small": CUTS["small"],
    }
    gone = [
        retirement("east", "middle"),
        retirement("west", "middle"),
        retirement("middle", "upper", "lower", **entry),
    ]
    how = {"downgrade": "auto", **(settings or {}), "retired": gone}
    return framework({"d": (how, {k: [rule(v)] for k, v in cuts.items()})})


def retirement(segment: str, *into: str, **how: Any) -> dict[str, Any]:
    return {"segment": segment, "into": [*into], "reason": "One motion serves both.", **how}


class Story:
    """One account from version to version; the engine's every answer is the oracle's."""

    def __init__(self, author: User, arr: int, **facts: Any) -> None:
        self.author, self.framework = author, Framework.objects.create(slug="story", name="Story")
        self.facts = Facts({"arr": Decimal(arr)}, **facts)
        self.past: Mapping[str, State] = {}
        self.number, self.at = 1, AT
        self.versions = 0
        self.account: Account | None = None
        self.version: FrameworkVersion | None = None

    def under(self, bodies: Bodies, *, days: int = 0, arr: int | None = None) -> Assignment:
        """Evaluate under a new version."""
        self.bodies, self.versions = bodies, self.versions + 1
        self.version = storing.store_version(self.framework, bodies, self.author)
        if self.account is None:
            (self.account,) = storing.store_accounts([self.facts], self.framework, self.author, self.at)
        return self.evaluate(days=days, arr=arr)

    def evaluate(self, *, days: int = 0, arr: int | None = None) -> Assignment:
        assert self.account is not None
        assert self.version is not None
        if arr is not None:
            self.number += 1
            self.facts = Facts({"arr": Decimal(arr)}, overrides=self.facts.overrides)
            Account.objects.filter(pk=self.account.pk).update(arr=arr, version=F("version") + 1)
        self.at += timedelta(days=days)
        storing.apply(self.version, [self.account.pk], self.at)
        again = storing.apply(self.version, [self.account.pk], self.at)
        assert (again.changed, again.transitions) == (0, 0)
        said, self.past = oracle.evaluate_after(
            self.past, self.bodies, self.facts, as_of=self.at, number=self.number, version=self.versions
        )
        said["d"].trace = {}
        assert storing.assigned([self.account.pk])[self.account.pk] == said
        return Assignment.objects.select_related("computed", "effective").get(account=self.account)

    def log(self) -> list[tuple[str | None, str | None, str]]:
        rows = (
            Transition.objects.filter(account=self.account).order_by("pk").select_related("from_segment", "to_segment")
        )
        return [(_key(row.from_segment), _key(row.to_segment), row.cause) for row in rows]


def _key(segment: Segment | None) -> str | None:
    return segment.key if segment else None


@pytest.mark.parametrize(("arr", "was"), [(600, "east"), (200, "west")])
def test_merged_segments_move_their_accounts_with_the_cause_mapping(author: User, arr: int, was: str) -> None:
    story = Story(author, arr)
    story.under(four())

    story.under(merged(), days=1)

    assert story.log() == [(None, was, "initial"), (was, "middle", "mapping")]


def test_account_that_the_new_rules_put_elsewhere_moves_because_of_the_version(author: User) -> None:
    story = Story(author, 600)
    story.under(four())

    bodies = merged()
    bodies["segment", "d/big"] = {**bodies["segment", "d/big"], "rules": [rule(leaf("ge", "arr", "550"))]}
    story.under(bodies, days=1)

    assert story.log()[1:] == [("east", "big", "data")]


def test_merged_segment_keeps_since_when_an_account_dwells(author: User) -> None:
    dwell = {"min_dwell_days": 90}
    story = Story(author, 600)
    began = story.under(four(dwell)).computed_since

    row = story.under(merged(dwell), days=30)
    assert row.computed_since == began
    row = story.evaluate(days=30, arr=20)
    assert (row.computed and row.computed.key, row.reason) == ("middle", "kept")
    row = story.evaluate(days=31)
    assert _key(row.computed) == "small"


def test_held_account_of_a_merged_segment_is_held_in_the_successor(author: User) -> None:
    reviewed = {"downgrade": "review"}
    story = Story(author, 600)
    story.under(four(reviewed))
    assert story.evaluate(days=1, arr=20).is_held

    row = story.under(merged(reviewed), days=1)

    assert row.is_held
    assert (row.computed and row.computed.key, row.effective and row.effective.key) == ("small", "middle")


def test_stay_and_move_take_the_successor_for_the_same_place(author: User) -> None:
    stay = rule(leaf("ge", "arr", "50"))["criteria"]
    story = Story(author, 200)
    story.under(four())
    bodies = merged()
    bodies["segment", "d/middle"] = {**bodies["segment", "d/middle"], "stay": stay}

    row = story.under(bodies, days=1, arr=60)

    assert (row.computed and row.computed.key, row.rule_key) == ("middle", "middle/stay")


def test_steps_are_counted_from_the_successor(author: User) -> None:
    stepping = {"max_step": 1}
    story = Story(author, 200)
    story.under(four(stepping))

    row = story.under(merged(stepping), days=1, arr=5_000)

    assert _key(row.computed) == "big"


@pytest.mark.parametrize(("arr", "now", "cause"), [(600, "upper", "mapping"), (200, "lower", "mapping")])
def test_split_places_accounts_by_the_rules_of_the_successors(author: User, arr: int, now: str, cause: str) -> None:
    held = {"downgrade": "review", "upgrade": "review", "min_dwell_days": 90}
    story = Story(author, arr)
    story.under(four(held))
    story.under(merged(held), days=1)

    row = story.under(split(held), days=1)

    assert not row.is_held
    assert story.log()[-1] == ("middle", now, cause)


def test_chain_of_mappings_leads_to_the_segment_of_today(author: User) -> None:
    """The run of the merge never came to this account."""
    story = Story(author, 600)
    story.under(four())
    bodies = merged()
    bodies["dimension", "d"] = {
        **bodies["dimension", "d"],
        "segments": ["big", "core", "small"],
        "retired": [*bodies["dimension", "d"]["retired"], retirement("middle", "core")],
    }
    bodies["segment", "d/core"] = {**bodies.pop(("segment", "d/middle")), "label": "core"}

    storing.store_version(story.framework, merged(), author)
    story.under(bodies, days=1)

    assert story.log()[1:] == [("east", "core", "mapping")]


def overriding(segment: str, start: datetime = AT, days: int = 300) -> Sequence[oracle.Override]:
    return [oracle.Override("d", segment, start, AT + timedelta(days=days))]


@pytest.mark.parametrize(
    ("bodies", "override", "counted"),
    [
        (merged(), "east", "middle"),
        (merged(overrides="reconfirm"), "east", "small"),
    ],
)
def test_override_of_a_merged_segment_counts_as_the_successor_before_it_is_carried(
    author: User, bodies: Bodies, override: str, counted: str
) -> None:
    story = Story(author, 20, overrides=overriding(override))
    row = story.under(four())
    assert _key(row.effective) == override

    row = story.under(bodies, days=1)

    assert _key(row.effective) == counted
    assert (row.override_until is not None) == (counted == "middle")
    assert Override.objects.count() == 1


@pytest.mark.parametrize(("to", "counted"), [(None, "small"), ("reconfirm", "small"), ("lower", "lower")])
def test_override_of_a_split_goes_where_the_mapping_says(author: User, to: str | None, counted: str) -> None:
    story = Story(author, 20, overrides=overriding("east"))
    story.under(four())
    how: dict[str, Any] = {} if to is None else {"overrides": to}

    storing.store_version(story.framework, merged(), author)
    row = story.under(split(**how), days=1)

    assert _key(row.effective) == counted


def test_nested_successor_is_the_place_of_what_was_merged_into_it(author: User) -> None:
    reviewed = {"downgrade": "review"}
    story = Story(author, 600)
    story.under(four(reviewed))
    bodies = merged(reviewed)
    bodies["dimension", "d"] = {
        **bodies["dimension", "d"],
        "segments": ["big", "inner", "middle", "small"],
        "retired": [retirement("east", "inner"), retirement("west", "middle")],
    }
    bodies["segment", "d/inner"] = {
        "label": "inner",
        "dimension": "d",
        "parent": "middle",
        "rules": [rule(leaf("ge", "arr", "550"))],
    }

    story.under(bodies, days=1)
    row = story.evaluate(days=1, arr=520)

    assert story.log()[1:] == [("east", "inner", "mapping")]
    assert (row.is_held, row.effective and row.effective.key) == (True, "inner")
