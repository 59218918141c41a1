"""The doctor says what is wrong in words, and a worker lives by the ticks it writes down."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import AssignmentRun, Cause, PendingEvaluation, RunChunk
from governance import health
from governance.models import Heartbeat
from governance.tasks import record_tick, stamp_tick, tick_task
from tests.governance.makers import AT


@pytest.fixture
def beating(db: None, settings: Any) -> None:
    for queue in settings.QUEUES:
        record_tick(queue=queue, sent_at=AT - timedelta(seconds=6), at=AT - timedelta(seconds=5), worker="w1")


def run_of(model: Any, state: str) -> AssignmentRun:
    return AssignmentRun.objects.create(
        framework=model.framework,
        framework_version=model.version,
        kind=AssignmentRun.Kind.REEVALUATION,
        state=state,
        as_of=AT,
        created_at=AT,
    )


def test_workers_that_took_a_tick_are_well(beating):
    assert (health.check_workers(AT).state, health.check_beat(AT).state) == ("ok", "ok")


def test_queue_that_was_never_consumed_is_named(beating):
    Heartbeat.objects.filter(queue="bulk").delete()

    check = health.check_workers(AT)

    assert check.state == "bad"
    assert "bulk (never)" in check.words
    assert check.words.endswith("worker -Q bulk")


def test_queue_that_stopped_is_named_with_its_last_sign(beating):
    check = health.check_workers(AT + timedelta(minutes=3))

    assert check.state == "bad"
    assert "interactive (last 3 min ago)" in check.words


def test_tick_that_waited_long_is_a_warning(beating):
    record_tick(queue="bulk", sent_at=AT - timedelta(seconds=60), at=AT, worker="w1")

    assert health.check_workers(AT) == health.Check(
        "workers", "warn", "Every queue is worked on, but a tick waited 60 s."
    )


def test_beat_that_stopped_is_wrong(beating):
    assert health.check_beat(AT + timedelta(minutes=4)).words.startswith("No tick was sent for 4 min.")


def test_old_pending_work_is_wrong(account):
    PendingEvaluation.objects.create(account=account, cause=Cause.DATA, marked_at=AT - timedelta(minutes=9))

    check = health.check_pending_work(AT)

    assert (check.state, check.words) == ("bad", "1 marks wait, the oldest for 9 min. They should be done in 5 min.")


def test_fresh_pending_work_is_well(account):
    PendingEvaluation.objects.create(account=account, cause=Cause.DATA, marked_at=AT - timedelta(seconds=9))

    assert health.check_pending_work(AT).state == "ok"


def test_stuck_chunk_is_wrong_and_names_the_run(model):
    run = run_of(model, AssignmentRun.State.APPLYING)
    RunChunk.objects.create(run=run, phase="apply", low=0, high=1000, state=RunChunk.State.STUCK)

    check = health.check_runs(AT)

    assert check.state == "bad"
    assert f"run {run.pk}" in check.words


def test_held_run_is_a_warning(model):
    run_of(model, AssignmentRun.State.HELD)

    assert health.check_runs(AT).state == "warn"


def test_role_that_may_rewrite_history_is_a_warning_and_the_application_role_is_none(db, application_role):
    with application_role():
        assert health.check_roles(AT).state == "ok"


def test_broker_that_does_not_answer_is_wrong(monkeypatch):
    from celery import current_app

    monkeypatch.setattr(current_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")

    check = health.check_broker()

    assert check.state == "bad"
    assert "sweeper" in check.words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 days")]
)
def test_span_uses_one_unit(seconds, words):
    assert health.span(timedelta(seconds=seconds)) == words


def test_tick_task_writes_when_it_was_sent(db):
    sent = timezone.now() - timedelta(seconds=4)

    tick_task.apply(args=["bulk", sent.isoformat()])

    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.queue, heartbeat.sent_at) == ("bulk", sent)
    assert heartbeat.consumed_at >= sent


def test_second_tick_replaces_the_first(db):
    for seconds in (1, 2):
        record_tick(queue="bulk", sent_at=AT, at=AT + timedelta(seconds=seconds), worker="w1")

    assert Heartbeat.objects.get().consumed_at == AT + timedelta(seconds=2)


def test_only_ticks_are_stamped_when_sent():
    tick: dict[str, Any] = {}
    other: dict[str, Any] = {}

    stamp_tick(sender="governance.tick", headers=tick)
    stamp_tick(sender="governance.verify_audit", headers=other)

    assert (list(tick), other) == (["ticked_at"], {})


def test_doctor_without_workers_exits_with_1_and_says_which(db):
    out, err = StringIO(), StringIO()

    with pytest.raises(SystemExit) as stop:
        call_command("doctor", stdout=out, stderr=err)

    assert stop.value.code == 1
    assert "WRONG  workers" in out.getvalue()
    assert "checks found something wrong" in err.getvalue()


def test_doctor_with_everything_running_exits_with_0(db, settings):
    for queue in settings.QUEUES:
        record_tick(queue=queue, sent_at=timezone.now(), at=timezone.now(), worker="w1")
    out = StringIO()

    call_command("doctor", "--json", stdout=out)

    checks = {check["name"]: check["state"] for check in json.loads(out.getvalue())}
    assert "bad" not in checks.values()
    assert next(iter(checks)) == "database"
