"""What holds a run: how much moves, grows, is left open or gathers in one segment, and what was so before."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.guard import Counts, Moves, distribution_after, guard_findings
from frameworks.criteria.english import DimensionLabels
from frameworks.parts.policy import GuardPolicy

LABELS = {"tier": DimensionLabels("Tier", {"smb": "SMB"})}


def policy(**values: Any) -> GuardPolicy:
    plain = {
        "max_share_moved": "0.2",
        "max_segment_change": "0.2",
        "max_unassigned": "0.25",
        "max_dominance": "0.8",
        "warn_dominance": "0.7",
    }
    return GuardPolicy.model_validate({**plain, **values})


def findings(before: Counts, moves: Moves, accounts: int, fallback: str | None = None, **values: Any) -> list[str]:
    return guard_findings(
        policy=policy(**values),
        before=before,
        moves=moves,
        accounts=accounts,
        fallbacks={"tier": fallback},
        labels=LABELS,
    )


def test_new_accounts_are_no_accounts_that_were_unassigned() -> None:
    before = {"tier": {"": 40, "smb": 60}}

    after = distribution_after(before, {"tier": {"": {"smb": 30, "": 20}}}, accounts=150)

    assert after == {"tier": {"": 60, "smb": 90}}


def test_first_run_is_looked_at_by_what_it_leaves_open_and_where_it_gathers() -> None:
    assert findings({}, {"tier": {"": {"smb": 70, "": 30}}}, 100) == [
        "Tier: 30 of 100 accounts would be Unassigned or in the fallback segment (30.0%; the limit is 25%)."
    ]
    assert findings({}, {"tier": {"": {"smb": 81, "": 19}}}, 100) == [
        "Tier: SMB would hold 81 of 100 accounts (81.0%; the limit is 80%)."
    ]
    assert findings({}, {"tier": {"": {"smb": 80, "": 20}}}, 100) == []


def test_fallback_counts_as_left_open() -> None:
    assert len(findings({}, {"tier": {"": {"rest": 20, "smb": 70, "": 10}}}, 100, fallback="rest")) == 1


@pytest.mark.parametrize(("moved", "held"), [(20, False), (21, True)])
def test_run_that_moves_more_than_the_limit_waits(moved: int, held: bool) -> None:
    before = {"tier": {"smb": 50, "mid": 50}}

    found = findings(before, {"tier": {"smb": {"mid": moved}}}, 100, max_segment_change="0.42")

    limit = "Tier: 21 of 100 accounts would move (21.0%; the limit is 20%)."
    assert found == ([limit] if held else [])


def test_new_accounts_are_no_movers_also_where_some_are_unassigned() -> None:
    before = {"tier": {"": 10, "smb": 90}}
    # Of 100 new accounts 60 get a segment; of the ten that had none, five more.
    moves = {"tier": {"": {"smb": 65, "": 40}}}

    found = findings(before, moves, 200, max_segment_change="1", max_share_moved="0.04", max_unassigned="1")

    assert found == ["Tier: 5 of 100 accounts would move (5.0%; the limit is 4%)."]


def test_segment_that_shrinks_by_more_than_the_limit_waits() -> None:
    before = {"tier": {"smb": 50, "mid": 50}}

    assert findings(before, {"tier": {"smb": {"mid": 11}}}, 100) == [
        "Tier: mid would go from 50 to 61 accounts (22.0%; the limit is 20%).",
        "Tier: SMB would go from 50 to 39 accounts (22.0%; the limit is 20%).",
    ]


def test_run_that_changes_nothing_is_not_held_for_what_was_so_before() -> None:
    before = {"tier": {"": 97, "smb": 3}}

    assert findings(before, {}, 100) == []
    assert findings(before, {"tier": {"smb": {"": 1}}}, 100, max_segment_change="1") == []


def test_share_beyond_its_limit_that_grows_further_holds_again() -> None:
    before = {"tier": {"": 30, "smb": 70}}

    assert findings(before, {"tier": {"smb": {"": 2}}}, 100) == [
        "Tier: 32 of 100 accounts would be Unassigned or in the fallback segment (32.0%; the limit is 25%)."
    ]


def test_signed_expectation_lets_a_segment_be_large() -> None:
    moves = {"tier": {"": {"smb": 95, "mid": 5}}}

    assert findings({}, moves, 100, expectations={"tier/smb": Decimal("0.95")}) == []
    assert len(findings({}, moves, 100, expectations={"tier/smb": Decimal("0.94")})) == 1
