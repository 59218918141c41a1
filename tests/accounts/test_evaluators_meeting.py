"""Two evaluators of one account on connections of their own: whoever is last has seen the newest facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from threading import Event

import pytest
from django.db import connection, transaction

from accounts.evaluation import engine
from accounts.models import Account, Assignment, Cause, PendingEvaluation, Transition
from accounts.services.evaluation import evaluate_pending
from accounts.services.marking import mark_accounts
from frameworks.models import FrameworkVersion
from tests.accounts import storing
from tests.accounts.small import AT
from tests.accounts.test_boundaries_of_outcomes import TWO_TIERS
from tests.frameworks.making import person
from tests.oracle import Facts

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 20


@pytest.fixture
def version() -> FrameworkVersion:
    return storing.store_framework(TWO_TIERS, person("ravi", "revops"))


@pytest.fixture
def account(version: FrameworkVersion) -> Account:
    """An account in the low tier."""
    (row,) = storing.store_accounts([Facts({"arr": Decimal(5)})], version.framework, person("ana", "revops"), AT)
    storing.apply(version, [row.pk], AT)
    return row


@contextmanager
def elsewhere() -> Iterator[Callable[[Callable[[], object]], Future[object]]]:
    """Runs work in a thread, which has a connection of its own."""
    with ThreadPoolExecutor() as pool:

        def start(work: Callable[[], object]) -> Future[object]:
            def closing() -> object:
                try:
                    return work()
                finally:
                    connection.close()

            return pool.submit(closing)

        yield start


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "Nobody waited for the account's bucket."
        time.sleep(0.01)


def segment_of(account: Account) -> str:
    row = Assignment.objects.select_related("computed").get(account=account)
    assert row.computed is not None
    return row.computed.key


def edit(account: Account) -> None:
    """What a push does: new facts, and the evaluation they are owed, in one transaction."""
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(arr=Decimal(500))
        mark_accounts(account_ids=[account.pk], cause=Cause.DATA, at=AT)


def evaluate_chunk(version: FrameworkVersion, account: Account) -> engine.Outcome:
    """What a run does with a range of keys."""
    with transaction.atomic():
        return storing.apply_range(version, account.pk, account.pk + 1, AT)


def test_slow_chunk_that_read_old_facts_does_not_outlast_the_edit_made_meanwhile(
    version: FrameworkVersion, account: Account
) -> None:
    evaluated, edited = Event(), Event()

    def slow_chunk() -> None:
        with transaction.atomic():
            storing.apply_range(version, account.pk, account.pk + 1, AT)
            evaluated.set()
            assert edited.wait(PATIENCE)
            wait_until(somebody_waits)

    with elsewhere() as start:
        slow = start(slow_chunk)
        assert evaluated.wait(PATIENCE)
        edit(account)
        quick = start(lambda: evaluate_pending(at=AT))
        edited.set()
        slow.result(PATIENCE)

        assert quick.result(PATIENCE) == 1
    assert (segment_of(account), PendingEvaluation.objects.count()) == ("top", 0)


def test_chunk_that_waited_for_an_edit_sees_the_facts_of_the_edit(version: FrameworkVersion, account: Account) -> None:
    with elsewhere() as start:
        with transaction.atomic():
            edit(account)
            evaluate_pending(at=AT)
            slow = start(lambda: evaluate_chunk(version, account))
            wait_until(somebody_waits)

        found = slow.result(PATIENCE)

    assert isinstance(found, engine.Outcome)
    assert (segment_of(account), found.changed) == ("top", 0)


def test_many_evaluators_of_one_account_leave_one_move_and_nothing_owed(
    version: FrameworkVersion, account: Account
) -> None:
    with elsewhere() as start:
        chunks = [start(lambda: evaluate_chunk(version, account)) for _ in range(3)]
        edit(account)
        others = [start(lambda: evaluate_pending(at=AT)) for _ in range(3)]
        for each in [*chunks, *others]:
            each.result(PATIENCE)
    evaluate_pending(at=AT)

    moves = Transition.objects.filter(account=account).order_by("id").values_list("to_segment__key", flat=True)
    assert list(moves) == ["low", "top"]
    assert evaluate_chunk(version, account).changed == 0
