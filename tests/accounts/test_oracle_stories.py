"""The engine and the oracle agree on accounts that are evaluated again and again.

In between time passes, a version follows, facts change, people let held accounts go. Every step is also previewed and
asked of hypothetical accounts with the same past, and repeating it writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from accounts.evaluation import engine
from accounts.evaluation.hypothetical import Prior, evaluate_rows
from accounts.models import Account, Assignment, AssignmentRun
from frameworks.models import Framework, FrameworkVersion, User
from tests import oracle
from tests.accounts import storing
from tests.accounts.small import AT, framework, leaf, rule
from tests.accounts.strategies import Step, Story, stories
from tests.accounts.test_oracle import author, random_frameworks, undone
from tests.oracle import Facts, Outcome, State

__all__ = ("author",)
pytestmark = pytest.mark.django_db


class Told:
    """A story as far as it has been told: the stored accounts, and what the oracle remembers of each."""

    def __init__(self, story: Story, author: User) -> None:
        self.story, self.author = story, author
        self.versions: list[FrameworkVersion] = []
        self.framework = Framework.objects.create(slug="story", name="Story")
        for bodies in story.versions:
            self.versions.append(storing.store_version(self.framework, bodies, author))
        self.rows = storing.store_accounts(story.accounts, self.framework, author, story.steps[0].as_of)
        self.ids = [row.pk for row in self.rows]
        self.facts = list(story.accounts)
        self.numbers = [1] * len(self.rows)
        self.past: list[Mapping[str, State]] = [{} for _ in self.rows]

    def change(self, step: Step) -> None:
        """The accounts take the facts they have at this step; what is their own stays theirs."""
        own = [{"signals": each.signals, "overrides": each.overrides} for each in self.story.accounts]
        facts = [
            replace(self.story.accounts[place], **mine)  # type: ignore[arg-type]
            for place, mine in zip(step.places, own, strict=True)
        ]
        changed = [now != before for now, before in zip(facts, self.facts, strict=True)]
        if any(changed):
            storing.change_facts(self.rows, facts, step.as_of)
        self.facts = facts
        for place, (is_changed, is_new) in enumerate(zip(changed, step.is_new, strict=True)):
            self.numbers[place] += is_changed and is_new
            Account.objects.filter(pk=self.ids[place]).update(version=self.numbers[place])

    def expected(self, step: Step) -> list[dict[str, Outcome]]:
        found = []
        for place, facts in enumerate(self.facts):
            how: dict[str, Any] = {"number": self.numbers[place], "version": step.version}
            outcomes, self.past[place] = oracle.evaluate_after(
                self.past[place], self.story.versions[step.version], facts, as_of=step.as_of, **how
            )
            found.append(outcomes)
        return found

    def hypothetically(self, step: Step) -> list[Any]:
        """The same step of accounts that are stored nowhere but have the same past."""
        rows = [
            {**storing.hypothetical_of(row, facts), "version": number}
            for row, facts, number in zip(self.rows, self.facts, self.numbers, strict=True)
        ]
        past = [{key: _prior(state, step.version) for key, state in states.items()} for states in self.past]
        plan = engine.plan_of(self.versions[step.version])
        known = {d.key for d in plan.dimensions}
        return evaluate_rows(
            plan=plan,
            rows=rows,
            as_of=step.as_of,
            prior=[{key: prior for key, prior in states.items() if key in known} for states in past],
        )

    def release(self) -> None:
        """People let go whoever is held; who waits while data are missing, to whatever segment: it has none."""
        for row in Assignment.objects.filter(account__in=self.ids, is_held=True).select_related("dimension"):
            counted = row.without_override_id if row.override_until else row.effective_id
            Assignment.objects.filter(pk=row.pk).update(released_id=row.computed_id or counted)
            place = self.ids.index(row.account_id)
            state = self.past[place][row.dimension.key]
            released = state.computed or state.counted
            self.past[place] = {**self.past[place], row.dimension.key: replace(state, released=released)}


def _prior(state: State, version: int) -> Prior:
    return Prior(
        computed=state.computed,
        counted=state.counted,
        computed_since=state.since,
        reason=state.reason,
        decided_with=state.decided_with,
        is_same_version=state.version == version,
        released=state.released,
        is_held=state.is_held,
    )


@st.composite
def waiting(draw: st.DrawFn) -> Story:
    """Tiers by ARR in which moves wait for people, and ARR that comes and goes: random rules seldom get so far."""
    cuts = {"high": leaf("ge", "arr", "100"), "middle": leaf("range", "arr", ge="50", lt="100")}
    cuts["low"] = leaf("lt", "arr", "50")
    policy = st.sampled_from(["review", "review", "auto", "notify"])
    often = {"upgrade": policy, "downgrade": policy}
    seldom = {"max_step": st.just(1), "min_dwell_days": st.just(2), "fallback": st.just("low")}
    chosen = draw(st.fixed_dictionaries(often, optional=seldom))
    bodies = framework({"d": (chosen, {key: [rule(cut)] for key, cut in cuts.items()})})
    if draw(st.booleans()):
        bodies["segment", "d/low"]["move"] = rule(leaf("lt", "arr", "20"))["criteria"]
    accounts = [Facts({}), Facts({}), *(Facts({"arr": Decimal(arr)}) for arr in (9, 30, 60, 120))]
    places = st.lists(st.integers(0, len(accounts) - 1), min_size=len(accounts), max_size=len(accounts))
    steps, at = [], AT
    for _ in range(draw(st.integers(3, 6))):
        steps.append(Step(at, 0, draw(places), [True] * len(accounts), draw(st.booleans())))
        at += timedelta(days=draw(st.integers(0, 3)))
    return Story([bodies], accounts, steps)


@settings(random_frameworks, max_examples=settings().max_examples // 2 + 1)
@given(story=st.one_of(stories(), waiting()))
def test_engine_says_what_the_oracle_says_whatever_came_before(author: User, story: Story) -> None:
    with undone():
        told = Told(story, author)
        for number, step in enumerate(story.steps):
            told.change(step)
            hypothetical = told.hypothetically(step)
            expected = told.expected(step)
            for reason in {outcome.reason for outcomes in expected for outcome in outcomes.values()}:
                event(f"reason: {reason}")
            if any(outcome.is_held and not outcome.segment for outcomes in expected for outcome in outcomes.values()):
                event("waits while data are missing")
            _compare_stored(told, step, expected, number)
            _compare_hypothetical(told.facts, hypothetical, expected)
            if step.releases:
                told.release()


def _compare_stored(told: Told, step: Step, expected: list[dict[str, Outcome]], number: int) -> None:
    version = told.versions[step.version]
    previewed = storing.preview(version, told.ids, step.as_of)
    AssignmentRun.objects.update(state=AssignmentRun.State.CANCELLED)
    applied = storing.apply(version, told.ids, step.as_of)
    again = storing.apply(version, told.ids, step.as_of)
    assigned, traces = storing.assigned(told.ids), storing.traced(version, told.ids, step.as_of)

    for pk, facts, outcomes in zip(told.ids, told.facts, expected, strict=True):
        for key, outcome in outcomes.items():
            said = replace(assigned[pk][key], trace=traces[pk][key])
            assert said == outcome, f"step {number}, dimension {key} of {facts}\n{told.story}"
    assert previewed.moves == applied.moves
    assert (again.changed, again.transitions) == (0, 0), again


def _compare_hypothetical(
    facts: Sequence[Facts], hypothetical: Sequence[Any], expected: list[dict[str, Outcome]]
) -> None:
    """An override plays no part in a hypothetical account: those that have one are left out."""
    for each, found, outcomes in zip(facts, hypothetical, expected, strict=True):
        for key, outcome in outcomes.items() if not each.overrides else ():
            said = found[key]
            assert (said.segment, said.effective, said.reason) == (outcome.segment, outcome.effective, outcome.reason)
            assert (said.rule_key, list(said.missing), list(said.losers)) == (
                outcome.rule,
                outcome.missing,
                outcome.losers,
            )
