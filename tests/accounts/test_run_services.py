"""Trying stuck work again."""

import pytest

from accounts.models import AssignmentRun, RunChunk
from accounts.services.runs import retry_stuck, start_reevaluation
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.models import Framework
from governance.models import AuditEntry
from tests.accounts.activating import AT, activate, signed_version, work_off
from tests.accounts.test_runs import spread
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def stuck() -> AssignmentRun:
    spread()
    activate(signed_version())
    run = start_reevaluation(framework=Framework.objects.get(), actor=person("tomas", "revops"), at=AT)
    run.chunks.update(state=RunChunk.State.STUCK, attempts=3)
    return run


def chunks_of(run: AssignmentRun) -> list[tuple[str, int]]:
    return list(run.chunks.values_list("state", "attempts"))


def test_retried_chunk_is_worked_on_again_and_the_run_ends(stuck: AssignmentRun) -> None:
    actor = person("dora", "revops")

    count = retry_stuck(run=stuck, actor=actor, at=AT)

    assert (count, chunks_of(stuck)) == (1, [("waiting", 0)])
    assert AuditEntry.objects.filter(action="run.retried", actor=actor).count() == 1
    assert work_off(stuck).state == "applied"


def test_retry_by_a_csm_is_refused_and_changes_nothing(stuck: AssignmentRun) -> None:
    with pytest.raises(NotAllowedError):
        retry_stuck(run=stuck, actor=person("leah", "csm"), at=AT)

    assert chunks_of(stuck) == [("stuck", 3)]
    assert not AuditEntry.objects.filter(action="run.retried").exists()


def test_retry_without_stuck_work_is_refused(stuck: AssignmentRun) -> None:
    stuck.chunks.update(state=RunChunk.State.WAITING, attempts=1)

    with pytest.raises(ConflictError, match="Nothing of"):
        retry_stuck(run=stuck, actor=person("dora", "revops"), at=AT)

    assert chunks_of(stuck) == [("waiting", 1)]


def test_retry_of_a_run_that_has_ended_is_refused(stuck: AssignmentRun) -> None:
    AssignmentRun.objects.filter(pk=stuck.pk).update(state=AssignmentRun.State.CANCELLED)

    with pytest.raises(ConflictError, match="nothing of it waits"):
        retry_stuck(run=stuck, actor=person("dora", "revops"), at=AT)

    assert chunks_of(stuck) == [("stuck", 3)]
