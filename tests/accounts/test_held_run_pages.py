"""The page of a run that the guard holds, and what people decide on it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Assignment, AssignmentRun
from frameworks.models import User
from tests.accounts.activating import AT, account, activate, signed_version, work_off
from tests.accounts.test_account_pages import words
from tests.accounts.test_run_pages import REASON, state_of, url
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


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


@pytest.fixture(scope="module")
def held_world(world: None) -> None:
    with time_machine.travel(AT, tick=False):
        for n in range(10):
            account(f"Same {n}")
        activate(signed_version())


@pytest.fixture
def held(held_world: None, db: None) -> AssignmentRun:
    run = AssignmentRun.objects.get()
    assert run.state == AssignmentRun.State.HELD
    return run


def test_run_list_is_filtered_by_its_address(visitor: Client, held: AssignmentRun) -> None:
    def shown(**query: str) -> list[Any]:
        return [row.record.pk for row in visitor.get("/runs/", query).context["table"].page.object_list]

    assert (shown(state="held"), shown(state="applied"), shown(kind="nightly")) == ([held.pk], [], [])
    assert "No run like this" in words(visitor.get("/runs/", {"state": "nonsense"}))


def test_acts_on_runs_are_post_only(visitor: Client, held: AssignmentRun) -> None:
    addresses = ["/runs/start/", *(url(name, held) for name in ("run_release", "run_cancel", "run_retry"))]

    assert [visitor.get(address).status_code for address in addresses] == [405] * 4
    assert state_of(held) == "held"


def test_held_run_shows_what_the_guard_found_and_who_decides(visitor: Client, held: AssignmentRun) -> None:
    said = words(visitor.get(url("run_detail", held)))

    assert all(reason in said for reason in held.held_because)
    assert "RevOps or CS Ops releases it next (not Ravi, who asked for it)" in said
    assert "v0 becomes the active version, and 40 assignments of 10 accounts are written" in said


def test_held_run_is_released_by_another_with_a_reason(visitor: Client, held: AssignmentRun, tomas: User) -> None:
    response = visitor.post(url("run_release", held), REASON)

    assert response["Location"] == url("run_detail", held)
    assert work_off(held).state == "applied"
    assert held.released_by == tomas
    assert Assignment.objects.count() == 40


@pytest.mark.parametrize(("given", "problem"), [({}, "required"), ({"reason": "ok"}, "at least 5")])
def test_held_run_is_not_released_without_a_reason(
    visitor: Client, held: AssignmentRun, given: dict[str, str], problem: str
) -> None:
    response = visitor.post(url("run_release", held), given)

    assert response.status_code == 422
    assert problem in words(response)
    assert state_of(held) == "held"


def test_held_run_is_not_released_by_who_asked_for_it(client: Client, held: AssignmentRun) -> None:
    assert held.requested_by is not None
    client.force_login(held.requested_by)

    seen = words(client.get(url("run_detail", held)))
    response = client.post(url("run_release", held), REASON)

    assert (response.status_code, state_of(held)) == (403, "held")
    assert "You asked for this run: another person must release it." in words(response)
    assert "You asked for this run: another person must release it." in seen


def test_held_run_is_cancelled_and_nothing_has_changed(visitor: Client, held: AssignmentRun) -> None:
    visitor.post(url("run_cancel", held), REASON)

    assert state_of(held) == "cancelled"
    assert not Assignment.objects.exists()
    assert REASON["reason"] in words(visitor.get(url("run_detail", held)))


def test_cancelling_by_a_csm_is_refused_and_the_run_stays_held(client: Client, held: AssignmentRun) -> None:
    client.force_login(person("leah", "csm"))

    response = client.post(url("run_cancel", held), REASON)

    assert (response.status_code, state_of(held)) == (403, "held")
