"""Activation and runs over real accounts: what is assigned, held, repeated and left alone."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Count, Sum

from accounts.errors import LeaseLostError
from accounts.evaluation import engine
from accounts.evaluation.statement import BUCKET
from accounts.models import Account, Assignment, AssignmentRun, Cause, PendingEvaluation, Transition
from accounts.services import chunks, runs
from accounts.services.evaluation import evaluate_pending
from accounts.services.marking import mark_accounts
from frameworks.errors import ConflictError, NotAllowedError
from governance.services.activation import request_activation
from tests.accounts.activating import AT, account, activate, signed_version, work_off
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


def segments_of(pk: int) -> dict[str, str]:
    rows = Assignment.objects.filter(account_id=pk).select_related("dimension", "effective")
    return {row.dimension.key: row.effective.key if row.effective else row.reason for row in rows}


def spread() -> list[Account]:
    """Accounts spread so that no guard holds the first run."""
    arrs = ["9000", "15000", "60000", "70000", "150000", "300000", "900000", "800000"]
    sectors = ["Technology", "Financials", "Retailing", "Health Care"]
    return [
        account(
            f"Company {n}",
            arr=Decimal(arr),
            industry=sectors[n % 4],
            health_score=[90, 60, 30, 10][n % 4],
            customer_since_on=AT.date() - timedelta(days=[20, 200, 300, 900][n % 4]),
        )
        for n, arr in enumerate(arrs)
    ]


def test_activation_gives_every_account_one_outcome_per_dimension() -> None:
    accounts = spread()

    run = activate(signed_version())

    assert (run.state, run.accounts, run.held_because) == ("applied", len(accounts), [])
    assert Assignment.objects.count() == len(accounts) * 4
    assert Transition.objects.count() == len(accounts) * 4
    assert not Assignment.objects.filter(effective=None).filter(reason__in=["matched", "provisional"]).exists()
    assert segments_of(accounts[6].pk)["customer_tier"] == "strategic"


def test_first_pass_over_unassigned_accounts_counts_what_the_second_writes() -> None:
    spread()
    account("Broken", attributes={"expansion_opportunity": "perhaps"}, arr=Decimal(70))

    run = activate(signed_version())

    counted = chunks.as_json(
        {
            (row["dimension_id"], None, row["to_segment_id"]): row["accounts"]
            for row in Transition.objects.values("dimension_id", "to_segment_id").annotate(accounts=Count("pk"))
        }
    )
    worth = chunks.as_json(
        {
            (row["dimension_id"], None, row["to_segment_id"]): row["worth"]
            for row in Transition.objects.values("dimension_id", "to_segment_id").annotate(worth=Sum("account__arr"))
        },
        str,
    )
    assert (run.moves, run.moved_arr) == (counted, worth)
    assert run.chunks.get(phase="evaluate").changed == Transition.objects.count()


def test_run_over_few_accounts_is_cut_so_that_workers_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SMALLEST_CHUNK", 1)
    for place in range(20):
        account(f"Company {place}", pk=place * BUCKET + 1)

    run = runs.plan_run(version=signed_version(), kind=AssignmentRun.Kind.REEVALUATION, actor=None, at=AT)

    cut = list(run.chunks.order_by("low").values_list("low", "high", "accounts"))
    assert cut == [(place * BUCKET, (place + 2) * BUCKET, 2) for place in range(0, 20, 2)]


def test_evaluation_repeated_writes_nothing() -> None:
    accounts = spread()
    activate(signed_version())
    before = Transition.objects.count()

    outcomes = engine.evaluate_accounts(account_ids=[a.pk for a in accounts], at=AT)

    assert [(outcome.changed, outcome.transitions) for outcome in outcomes] == [(0, 0)]
    assert Transition.objects.count() == before


def test_marked_account_follows_its_data_and_the_mark_is_gone() -> None:
    accounts = spread()
    activate(signed_version())
    smallest = accounts[0]
    Account.objects.filter(pk=smallest.pk).update(arr=Decimal(2_000_000))
    mark_accounts(account_ids=[smallest.pk], cause=Cause.DATA, at=AT)

    done = evaluate_pending(at=AT)

    assert done == 1
    assert segments_of(smallest.pk)["customer_tier"] == "strategic"
    newest = Transition.objects.filter(account=smallest).order_by("-id")[0]
    assert (newest.cause, newest.to_segment and newest.to_segment.key) == ("data", "strategic")
    assert not PendingEvaluation.objects.exists()


def test_missing_data_leaves_an_account_unassigned_and_names_what_is_missing() -> None:
    spread()
    bare = account("Bare", health_score=None, weekly_active_share=None, last_activity_on=None)

    activate(signed_version())

    row = Assignment.objects.get(account=bare, dimension__key="engagement")
    assert (row.effective, row.reason) == (None, "missing_data")
    assert "health_score" in row.missing


def test_excluded_account_is_unassigned_whatever_the_rules_say() -> None:
    spread()
    test_account = account("Test account", exclusion="test", arr=Decimal(900_000))

    activate(signed_version())

    assert set(segments_of(test_account.pk).values()) == {"excluded"}


def test_value_that_sql_cannot_read_sets_only_its_account_aside() -> None:
    accounts = spread()
    broken = account("Broken", attributes={"expansion_opportunity": "perhaps"})

    run = activate(signed_version())

    assert run.state == "applied"
    assert set(segments_of(broken.pk).values()) == {"error"}
    assert "error" not in segments_of(accounts[0].pk).values()


def test_guard_holds_a_run_that_would_put_everybody_in_one_segment() -> None:
    for n in range(10):
        account(f"Same {n}")
    version = signed_version()

    run = activate(version)

    assert run.state == "held"
    assert any("would hold 10 of 10 accounts" in reason for reason in run.held_because)
    assert not Assignment.objects.exists()
    version.framework.refresh_from_db()
    assert version.framework.active_version is None


def test_held_run_is_released_by_another_person_only() -> None:
    for n in range(10):
        account(f"Same {n}")
    version = signed_version()
    run = activate(version)
    second = person("dana", "cs_ops")

    with pytest.raises(NotAllowedError):
        runs.release_run(run=run, reason="It is as we expect.", actor=version.author, at=AT)
    run.refresh_from_db()
    assert run.state == "held"

    runs.release_run(run=run, reason="It is as we expect.", actor=second, at=AT)
    assert work_off(run).state == "applied"
    assert Assignment.objects.count() == 40


def test_activation_of_an_unsigned_version_is_refused_and_changes_nothing() -> None:
    spread()
    version = signed_version()
    signoff_round = version.signoffs.first()
    assert signoff_round is not None
    signoff_round.signer.groups.clear()

    with pytest.raises(ConflictError) as caught:
        request_activation(version=version, actor=version.author, at=AT)

    assert signoff_round.signer.name in str(caught.value)
    assert not AssignmentRun.objects.exists()


def test_chunk_of_a_dead_worker_is_leased_again_and_written_once() -> None:
    accounts = spread()
    run = request_activation(version=signed_version(), actor=person("tomas", "revops"), at=AT)
    abandoned = chunks.lease_chunk(run.pk, AT)
    assert abandoned is not None
    assert runs.work_next_chunk(run_id=run.pk, at=AT) is False

    later = AT + chunks.LEASE + timedelta(seconds=1)
    while runs.work_next_chunk(run_id=run.pk, at=later):
        pass

    run.refresh_from_db()
    assert run.state == "applied"
    assert Assignment.objects.count() == len(accounts) * 4
    with pytest.raises(LeaseLostError):
        chunks.work_on(abandoned)
