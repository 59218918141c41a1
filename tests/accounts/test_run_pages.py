"""The pages of runs, and what people decide on them."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AssignmentRun, RunChunk
from accounts.services import runs
from accounts.services.chunks import LEASE
from frameworks.models import Framework, FrameworkVersion, User
from governance.models import AuditEntry
from tests.accounts.activating import AT, account, activate, work_off
from tests.accounts.test_account_pages import words
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

REASON = {"reason": "It is as we expect."}


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(AT + timedelta(minutes=1), tick=False):
        yield


@pytest.fixture
def tomas() -> User:
    return person("tomas", "revops")


@pytest.fixture
def visitor(client: Client, tomas: User) -> Client:
    client.force_login(tomas)
    return client


def url(name: str, run: AssignmentRun) -> str:
    return reverse(f"accounts:{name}", args=[run.uuid])


def state_of(run: AssignmentRun) -> str:
    run.refresh_from_db()
    return run.state


def test_run_list_names_kind_state_figures_and_who(visitor: Client, active_world: None) -> None:
    said = words(visitor.get("/runs/"))

    assert "Activation v0 Applied 8 32" in said
    assert "Ravi" in said


def test_rate_and_duration_of_a_run_are_of_the_time_in_which_it_worked(visitor: Client, active_world: None) -> None:
    """Also where most of the time between its passes it was held."""
    run = AssignmentRun.objects.get()
    run.evaluated_at = run.created_at + timedelta(seconds=3)
    run.applying_at = run.created_at + timedelta(days=2)
    run.finished_at = run.applying_at + timedelta(seconds=1)
    run.save()

    said = words(visitor.get(url("run_detail", run)))

    assert run.accounts == 8
    assert "Accounts a second 2 Took 4 s" in said


def test_run_list_takes_as_many_queries_for_three_rows_as_for_one(
    visitor: Client, tomas: User, active_world: None
) -> None:
    visitor.get("/runs/")

    with CaptureQueriesContext(connection) as one:
        visitor.get("/runs/")
    for _ in range(2):
        work_off(runs.start_reevaluation(framework=Framework.objects.get(), actor=tomas, at=AT))
    with CaptureQueriesContext(connection) as three:
        visitor.get("/runs/")

    assert len(one) == len(three)


def test_run_list_without_runs_says_where_they_come_from(visitor: Client) -> None:
    said = words(visitor.get("/runs/"))

    assert "No runs yet" in said
    assert "No version is active yet." in said


def test_reevaluation_is_started_by_revops(visitor: Client, tomas: User, active_world: None) -> None:
    response = visitor.post("/runs/start/", {"framework": "main"})

    run = AssignmentRun.objects.latest("pk")
    assert (run.kind, run.state, run.requested_by) == ("reevaluation", "planned", tomas)
    assert response["Location"] == url("run_detail", run)


def test_reevaluation_asked_for_by_a_csm_is_refused_and_nothing_starts(client: Client, active_world: None) -> None:
    client.force_login(person("leah", "csm"))
    before = (AssignmentRun.objects.count(), AuditEntry.objects.count())

    seen = words(client.get("/runs/"))
    response = client.post("/runs/start/", {"framework": "main"})

    assert response.status_code == 403
    assert "Only RevOps may start a run." in words(response)
    assert "Only RevOps may start a run." in seen
    assert (AssignmentRun.objects.count(), AuditEntry.objects.count()) == before


@pytest.mark.parametrize("framework", ["", "nowhere"])
def test_reevaluation_of_an_unknown_framework_is_refused(visitor: Client, framework: str) -> None:
    response = visitor.post("/runs/start/", {"framework": framework})

    assert (response.status_code, AssignmentRun.objects.count()) == (422, 0)


def test_applied_run_cannot_be_cancelled(visitor: Client, active_world: None) -> None:
    run = AssignmentRun.objects.get()

    response = visitor.post(url("run_cancel", run), REASON)

    assert (response.status_code, state_of(run)) == (409, "applied")


def test_run_page_shows_what_moved_with_links_and_the_distribution(visitor: Client, active_world: None) -> None:
    run = AssignmentRun.objects.get()

    response = visitor.get(url("run_detail", run))

    matrix = response.context["page"].matrices[0]
    assert (matrix.label, matrix.targets) == ("Customer Tier", ["Strategic", "Enterprise", "Mid-Market", "SMB"])
    ((label, cells, total),) = matrix.rows
    assert (label, total, sum(cell.count for cell in cells)) == ("New", 8, 8)
    for cell in cells:
        shown = visitor.get(cell.url).context["table"].page.object_list
        assert len(list(shown)) == cell.count
    assert "Customers after the run" in words(response)


def test_progress_asks_again_while_the_run_works_and_reloads_the_page_when_its_state_changed(
    visitor: Client, tomas: User, active_world: None
) -> None:
    run = runs.start_reevaluation(framework=Framework.objects.get(), actor=tomas, at=AT)
    fragment = url("run_progress", run)

    working = visitor.get(fragment, {"state": "planned"}).content.decode()
    work_off(run)
    changed = visitor.get(fragment, {"state": "planned"})
    over = visitor.get(fragment, {"state": "applied"}).content.decode()

    assert 'hx-trigger="every 1s"' in working
    assert "0 of 8" in working
    assert changed["HX-Refresh"] == "true"
    assert "hx-trigger" not in over
    assert "8 of 8" in over


def test_time_in_which_a_run_was_held_is_no_time_that_it_took(visitor: Client, active_world: None) -> None:
    run = AssignmentRun.objects.get()
    moments = {"created_at": 0, "evaluated_at": 3, "applying_at": 63, "finished_at": 64}
    AssignmentRun.objects.update(
        held_because=["Too much."], **{name: AT + timedelta(seconds=after) for name, after in moments.items()}
    )

    said = words(visitor.get(url("run_detail", run)))

    assert "Accounts a second 2 Took 4 s Held for 1 min" in said
    assert " 4 s " in words(visitor.get("/runs/"))


def test_run_whose_workers_have_gone_quiet_says_that_it_goes_on(
    visitor: Client, tomas: User, active_world: None
) -> None:
    run = runs.start_reevaluation(framework=Framework.objects.get(), actor=tomas, at=AT)
    at_work = timezone.now() + LEASE
    run.chunks.update(state=RunChunk.State.LEASED, attempts=1, leased_until=at_work)
    busy = words(visitor.get(url("run_detail", run)))

    run.chunks.update(leased_until=at_work - timedelta(seconds=60))
    quiet = words(visitor.get(url("run_detail", run)))

    assert "Time left not known yet" in busy
    assert "Time left a worker has gone quiet; goes on by itself within" in quiet


def test_run_page_offers_to_try_stuck_work_again(visitor: Client, tomas: User, active_world: None) -> None:
    run = runs.start_reevaluation(framework=Framework.objects.get(), actor=tomas, at=AT)
    run.chunks.update(state=RunChunk.State.STUCK, attempts=3)

    said = words(visitor.get(url("run_detail", run)))
    visitor.post(url("run_retry", run))

    assert "1 part of the work failed three times." in said
    assert work_off(run).state == "applied"


def test_run_page_says_how_many_accounts_were_set_aside(visitor: Client, signed_world: None) -> None:
    account("Broken", attributes={"expansion_opportunity": "perhaps"})
    run = activate(FrameworkVersion.objects.get())

    response = visitor.get(url("run_detail", run))

    aside = visitor.get(response.context["page"].set_aside_url).context["table"].page.object_list
    assert "Set aside 1" in words(response)
    assert [row.record.name for row in aside] == ["Broken"]
