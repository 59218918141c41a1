"""The feed: complete, in order, never behind a reader; cursors of another time are refused."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Max
from django.test import Client
from django.utils import timezone

from accounts import feed
from accounts.models import FeedEpoch, PendingEvaluation, Transition
from tests.api.making import Api, Model, make_account, make_model, make_service, make_token, move

# Rows are seen by the feed when nobody on the server writes any more: these tests commit, and are alone.
pytestmark = pytest.mark.serial

CHANGES = "/api/v1/assignments/changes"


def settle() -> None:
    """Wait until everything committed is visible: other databases' transactions on this server hold it back too."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        newest = Transition.objects.aggregate(xid=Max("xid"))["xid"]
        if newest is None or int(newest) < feed.head().xid:
            return
        time.sleep(0.05)
    raise AssertionError("Somebody keeps a transaction open on this server.")


def read(api: Api, cursor: str | None, limit: int = 500) -> Any:
    """One page, as it is now."""
    return api.get(f"{CHANGES}?limit={limit}" + (f"&cursor={cursor}" if cursor else "")).json()


def read_all(api: Api, cursor: str | None = None, limit: int = 500) -> tuple[list[Any], str]:
    """Every page, once everything is visible."""
    settle()
    return read_visible(api, cursor, limit)


def read_visible(api: Api, cursor: str | None, limit: int = 500) -> tuple[list[Any], str]:
    found: list[Any] = []
    for _ in range(1000):
        answer = read(api, cursor, limit)
        found += answer["data"]
        cursor = answer["next_cursor"]
        if not answer["has_more"]:
            return found, answer["next_cursor"]
    raise AssertionError("The feed does not end.")


@pytest.fixture
def live(transactional_db: None) -> tuple[Api, Model]:
    return Api(make_token(make_service()), Client()), make_model()


def test_change_in_full(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    move(account, model, "enterprise", from_segment=model.segments["mid_market"], version=18)

    settle()
    answer = read(api, None)

    assert answer["data"] == [
        {
            "op": "upsert",
            "account": {"id": str(account.uuid), "external_ids": {"crm": "A-1"}},
            "dimension": "tier",
            "segment": "enterprise",
            "previous": "mid_market",
            "cause": "data",
            "reason": "matched",
            "framework_version": 3,
            "version": 18,
            "effective_at": answer["data"][0]["effective_at"],
        }
    ]
    assert set(answer) == {"data", "next_cursor", "has_more", "lag_seconds"}
    assert answer["has_more"] is False
    assert 0 <= answer["lag_seconds"] < 60


@pytest.mark.parametrize("gone", ["deleted", "merged"])
def test_change_of_an_account_that_is_gone_is_a_delete(live: tuple[Api, Model], gone: str) -> None:
    api, model = live
    account, into = make_account(), make_account("Into", "A-9")
    move(account, model, None)
    if gone == "deleted":
        account.deleted_at = timezone.now()
    else:
        account.merged_into = into
    account.save()

    ((change,), _) = read_all(api)

    more = {"merged_into": str(into.uuid)} if gone == "merged" else {}
    assert change == {"op": "delete", "account": {"id": str(account.uuid)}, "reason": gone, **more}


def test_feed_page_by_page_is_complete_ordered_and_ends(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    for version in range(1, 8):
        move(account, model, "smb", version=version)

    found, cursor = read_all(api, limit=2)

    assert [change["version"] for change in found] == list(range(1, 8))
    again = read(api, cursor)
    assert (again["data"], again["has_more"]) == ([], False)


def test_feed_of_many_rows_of_one_transaction_ends(live: tuple[Api, Model]) -> None:
    api, model = live
    account, at = make_account(), timezone.now()
    with transaction.atomic():
        for version in range(1, 1001):
            move(account, model, "smb", version=version, effective_at=at)

    found, _ = read_all(api, limit=100)

    assert [change["version"] for change in found] == list(range(1, 1001))


def test_feed_empty_gives_a_cursor_that_works_later(live: tuple[Api, Model]) -> None:
    api, model = live
    first = read(api, None)
    assert (first["data"], first["has_more"]) == ([], False)
    move(make_account(), model, "smb")

    assert len(read_all(api, first["next_cursor"])[0]) == 1


def _elsewhere(work: Callable[[], Any]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Do `work` in a transaction of another connection; returns what commits it, and what rolls it back."""
    is_done, may_end, keeps = threading.Event(), threading.Event(), [True]

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                is_done.set()
                may_end.wait(20)
                transaction.set_rollback(not keeps[0])
        finally:
            is_done.set()
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert is_done.wait(20)

    def end(*, keep: bool) -> None:
        keeps[0] = keep
        may_end.set()
        thread.join(20)

    return lambda: end(keep=True), lambda: end(keep=False)


def test_slow_transaction_never_slips_in_behind_a_cursor(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    move(account, model, "smb", version=1)
    settle()
    # Writes first, commits last: its rows have the lower ids, and would be behind a cursor of ids or of time.
    commit, _ = _elsewhere(lambda: [move(account, model, "smb", version=version) for version in (2, 3)])
    move(account, model, "smb", version=4)

    before = read(api, None)
    commit()
    after, _ = read_all(api, before["next_cursor"])

    assert [change["version"] for change in before["data"]] == [1]
    assert before["lag_seconds"] > 0
    assert [change["version"] for change in after] == [2, 3, 4]


def test_slow_transaction_rolled_back_leaves_no_trace_and_no_hole(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    _, roll_back = _elsewhere(lambda: move(account, model, "smb", version=2))
    move(account, model, "smb", version=3)
    cursor = read(api, None)["next_cursor"]
    roll_back()

    found, _ = read_all(api, cursor)

    assert [change["version"] for change in found] == [3]


def test_head_then_full_reading_then_changes_misses_nothing(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    move(account, model, "smb", version=1)
    settle()
    commit, _ = _elsewhere(lambda: move(account, model, "smb", version=2))

    head = api.get(f"{CHANGES}/head").json()["cursor"]
    commit()
    move(account, model, "smb", version=3)
    found, _ = read_all(api, head)

    assert [change["version"] for change in found] == [2, 3]


def test_pollers_see_every_row_of_concurrent_writers_exactly_in_order(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    writers, rows_each = 6, 25

    def write(writer: int) -> None:
        try:
            for n in range(rows_each):
                with transaction.atomic():
                    move(account, model, "smb", version=writer * 1000 + n)
                    threading.Event().wait(0.002 * (writer % 3))
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    cursor: str | None = None
    while any(thread.is_alive() for thread in threads):
        found, cursor = read_visible(api, cursor, limit=7)
        seen += [change["version"] for change in found]
    for thread in threads:
        thread.join()
    found, _ = read_all(api, cursor, limit=7)
    seen += [change["version"] for change in found]

    assert sorted(seen) == [writer * 1000 + n for writer in range(writers) for n in range(rows_each)]
    for writer in range(writers):
        assert [v for v in seen if v // 1000 == writer] == [writer * 1000 + n for n in range(rows_each)]


def test_cursor_of_before_a_restore_is_410_with_the_way_back(live: tuple[Api, Model]) -> None:
    api, model = live
    account = make_account()
    move(account, model, "smb", version=1)
    _, cursor = read_all(api)
    FeedEpoch.objects.update(epoch=2)
    # Transaction ids of the restored server may be lower than those of before.
    move(account, model, "enterprise", version=2)

    answer = api.get(f"{CHANGES}?cursor={cursor}")
    everything, _ = read_all(api, limit=1)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (410, "cursor_expired")
    assert answer.json()["type"].endswith("/api/problems/cursor-expired")
    assert "/assignments/changes/head" in answer.json()["resync"][0]
    assert [change["version"] for change in everything] == [1, 2]


def test_cursor_older_than_90_days_is_410(live: tuple[Api, Model]) -> None:
    api, _ = live
    with time_machine.travel(timezone.now() - timedelta(days=91), tick=False):
        cursor = feed_cursor(api)
    with time_machine.travel(timezone.now() - timedelta(days=89), tick=False):
        younger = feed_cursor(api)

    assert api.get(f"{CHANGES}?cursor={cursor}").status_code == 410
    assert api.get(f"{CHANGES}?cursor={younger}").status_code == 200


def feed_cursor(api: Api) -> str:
    answer = api.get(f"{CHANGES}/head")
    cursor: str = answer.json()["cursor"]
    return cursor


def test_lag_counts_evaluations_that_are_owed(live: tuple[Api, Model]) -> None:
    api, _ = live
    marked_at = timezone.now() - timedelta(seconds=30)
    PendingEvaluation.objects.create(account=make_account(), cause="data", marked_at=marked_at)

    assert 30 <= read(api, None)["lag_seconds"] < 60


def test_feed_narrowed_to_a_dimension(live: tuple[Api, Model]) -> None:
    api, model = live
    move(make_account(), model, "smb")
    settle()

    assert len(api.get(f"{CHANGES}?dimension=tier&framework=customers").json()["data"]) == 1
    assert api.get(f"{CHANGES}?dimension=industry").json()["data"] == []


def test_reading_is_by_the_index(live: tuple[Api, Model]) -> None:
    _, model = live
    account = make_account()
    move(account, model, "smb")
    with connection.cursor() as cursor, transaction.atomic():
        # Over a handful of rows a bitmap and a sort are as good; the question is whether the index can do it.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = Transition.objects.filter(feed._after(feed.Position(1, 5, 5))).order_by("epoch", "xid", "id").explain()

    assert "transition_feed" in plan
    assert "Sort" not in plan
