"""Runs that meet: another version, an edit or another run while one is under way. The newest definition wins."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.errors import LeaseLostError
from accounts.evaluation import engine
from accounts.models import Account, Assignment, AssignmentRun, Cause, RunMove, Transition
from accounts.services import chunks, runs
from accounts.services.evaluation import evaluate_pending, start_nightly_runs
from accounts.services.marking import mark_accounts
from frameworks.errors import ConflictError
from frameworks.models import Dimension, Framework, FrameworkVersion, User
from governance.health import check_reconciliation
from governance.models import Notification
from governance.services.activation import request_activation
from tests.accounts.activating import AT, activate, next_version, push_through, signed_version, work_off
from tests.accounts.test_runs import segments_of, spread
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

REEVALUATION = AssignmentRun.Kind.REEVALUATION


@pytest.fixture
def dana() -> User:
    return person("dana", "cs_ops")


@pytest.fixture
def tomas() -> User:
    return person("tomas", "revops")


def main() -> Framework:
    return Framework.objects.select_related("active_version").get()


def lower_strategic() -> FrameworkVersion:
    """A signed version in which Strategic begins at 260,000 of ARR."""
    return next_version(main(), replacing={"500000.00": "260000.00"})


def nothing_is_owed() -> bool:
    """Evaluating everything once more under the active version would write nothing."""
    everyone = list(Account.objects.values_list("pk", flat=True))
    return all(outcome.changed == 0 for outcome in engine.evaluate_accounts(account_ids=everyone, at=AT))


def set_arr(account: Account, arr: int) -> None:
    Account.objects.filter(pk=account.pk).update(arr=Decimal(arr), updated_at=timezone.now())
    mark_accounts(account_ids=[account.pk], cause=Cause.DATA, at=AT)


def test_reevaluation_looks_first_and_writes_only_movers(dana: User, tomas: User) -> None:
    accounts = spread()
    activate(signed_version())
    Account.objects.filter(pk=accounts[0].pk).update(arr=Decimal(2_000_000))

    run = push_through(runs.start_reevaluation(framework=main(), actor=tomas, at=AT), dana)

    assert run.state == "applied"
    assert set(RunMove.objects.filter(run=run).values_list("account_id", flat=True)) == {accounts[0].pk}
    assert segments_of(accounts[0].pk)["customer_tier"] == "strategic"


def test_reevaluation_that_moves_too_much_is_held_and_changes_nothing(tomas: User) -> None:
    accounts = spread()
    activate(signed_version())
    before = [segments_of(account.pk) for account in accounts]
    Account.objects.update(arr=Decimal(2_000_000))

    run = work_off(runs.start_reevaluation(framework=main(), actor=tomas, at=AT))

    assert run.state == "held"
    assert any("would move" in reason for reason in run.held_because)
    assert [segments_of(account.pk) for account in accounts] == before


def test_activation_during_a_reevaluation_supersedes_it_and_its_version_wins(dana: User, tomas: User) -> None:
    accounts = spread()
    activate(signed_version())
    version = lower_strategic()
    under_way = runs.start_reevaluation(framework=main(), actor=tomas, at=AT)
    leased = chunks.lease_chunk(under_way.pk, AT)
    assert leased is not None

    newer = request_activation(version=version, actor=tomas, at=AT)

    under_way.refresh_from_db()
    assert under_way.state == "superseded"
    with pytest.raises(LeaseLostError):
        chunks.work_on(leased)
    assert push_through(newer, dana).state == "applied"
    assert segments_of(accounts[5].pk)["customer_tier"] == "strategic"
    assert nothing_is_owed()


def test_older_run_that_finishes_after_a_newer_one_writes_nothing(dana: User, tomas: User) -> None:
    spread()
    activate(signed_version())
    older = request_activation(version=lower_strategic(), actor=tomas, at=AT)
    work_off(older)
    if older.state == "held":
        runs.release_run(run=older, reason="As expected.", actor=dana, at=AT)
    late = chunks.lease_chunk(older.pk, AT)
    assert late is not None
    newest = next_version(main(), replacing={"260000.00": "850000.00"})

    run = push_through(request_activation(version=newest, actor=tomas, at=AT), dana)
    with pytest.raises(LeaseLostError):
        chunks.work_on(late)

    older.refresh_from_db()
    assert (older.state, run.state) == ("superseded", "applied")
    assert main().active_version == newest
    assert nothing_is_owed()


def test_edit_between_the_passes_of_an_activation_ends_under_the_new_version(dana: User, tomas: User) -> None:
    accounts = spread()
    activate(signed_version())
    run = request_activation(version=lower_strategic(), actor=tomas, at=AT)
    assert work_off(run).state == "held"
    set_arr(accounts[0], 280_000)  # Enterprise in the old version, Strategic in the new one; not among the movers
    evaluate_pending(at=AT)
    assert segments_of(accounts[0].pk)["customer_tier"] == "enterprise"

    assert push_through(run, dana).state == "applied"
    while evaluate_pending(at=AT):
        pass

    assert segments_of(accounts[0].pk)["customer_tier"] == "strategic"
    assert nothing_is_owed()


def test_cancelling_what_superseded_a_half_written_run_finishes_that_run(dana: User, tomas: User) -> None:
    accounts = spread()
    activate(signed_version())
    Account.objects.filter(pk=accounts[0].pk).update(arr=Decimal(2_000_000))
    half = runs.start_reevaluation(framework=main(), actor=tomas, at=AT)
    runs.work_next_chunk(run_id=half.pk, at=AT)
    half.refresh_from_db()
    if half.state == "held":
        runs.release_run(run=half, reason="As expected.", actor=dana, at=AT)
    newer = request_activation(version=lower_strategic(), actor=tomas, at=AT)

    runs.cancel_run(run=newer, reason="Not today.", actor=tomas, at=AT)

    rest = AssignmentRun.objects.get(state__in=AssignmentRun.LIVE)
    assert (rest.kind, rest.requested_by) == ("reevaluation", None)
    assert push_through(rest, dana).state == "applied"
    assert segments_of(accounts[0].pk)["customer_tier"] == "strategic"


def test_second_activation_waits_for_the_first_to_be_decided(tomas: User) -> None:
    spread()
    version = signed_version()
    request_activation(version=version, actor=tomas, at=AT)

    with pytest.raises(ConflictError, match="under way"):
        request_activation(version=version, actor=tomas, at=AT)

    assert AssignmentRun.objects.count() == 1


def test_reevaluation_gives_an_account_without_assignment_its_rows(dana: User, tomas: User) -> None:
    accounts = spread()
    activate(signed_version())
    Assignment.objects.filter(account=accounts[2]).delete()

    push_through(runs.start_reevaluation(framework=main(), actor=tomas, at=AT), dana)

    assert Assignment.objects.filter(account=accounts[2]).count() == Dimension.objects.filter(is_live=True).count()


def test_nightly_run_that_finds_nothing_raises_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    spread()
    activate(signed_version())

    with caplog.at_level(logging.CRITICAL):
        (run,) = start_nightly_runs(at=AT)
        work_off(run)

    assert run.moves == {}
    assert not caplog.records
    assert check_reconciliation(AT).state == "ok"


def test_nightly_run_that_finds_something_corrects_it_and_raises_the_alarm(
    dana: User, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = spread()
    activate(signed_version())
    Account.objects.filter(pk=accounts[0].pk).update(arr=Decimal(2_000_000), updated_at=AT - timedelta(days=1))

    with caplog.at_level(logging.CRITICAL):
        (run,) = start_nightly_runs(at=AT)
        push_through(run, dana)

    assert segments_of(accounts[0].pk)["customer_tier"] == "strategic"
    moved = Transition.objects.filter(account=accounts[0], dimension__key="customer_tier").latest("pk")
    assert moved.cause == "correction"
    told = Notification.objects.filter(subject__contains="that nothing had marked")
    assert set(told.values_list("person__email", flat=True)) == {"ravi@x.example"}
    assert any("nothing had marked" in record.getMessage() for record in caplog.records)
    assert check_reconciliation(AT).state == "bad"
