"""Whoever would end a module's world, or wait for it forever, is refused before the test begins."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests import worlds


@pytest.mark.django_db(transaction=True)
def commits() -> None:
    pass


def asks_to_commit(transactional_db: None) -> None:
    pass


@pytest.mark.serial
def needs_the_servers_alone() -> None:
    pass


@pytest.mark.django_db
def writes_within_the_world() -> None:
    pass


@pytest.mark.django_db(transaction=False)
def says_that_it_does_not_commit() -> None:
    pass


def reads_nothing() -> None:
    pass


@pytest.fixture(scope="module")
def grown(world: None) -> None:
    Group.objects.create(name="Of this world")


def collected(request: pytest.FixtureRequest, function: Callable[..., None]) -> pytest.Item:
    """The function as the test that pytest would make of it in this module."""
    return pytest.Function.from_parent(request.node.parent, name=function.__name__, callobj=function)


@pytest.mark.parametrize("function", [commits, asks_to_commit, needs_the_servers_alone])
def test_test_that_commits_or_wants_the_servers_alone_is_refused_in_a_world(
    request: pytest.FixtureRequest, function: Callable[..., None]
) -> None:
    with pytest.raises(pytest.fail.Exception, match="move this test to a module of its own"):
        worlds.refuse_alone(collected(request, function))


@pytest.mark.parametrize("function", [writes_within_the_world, says_that_it_does_not_commit, reads_nothing])
def test_any_other_test_may_run_in_a_world(request: pytest.FixtureRequest, function: Callable[..., None]) -> None:
    worlds.refuse_alone(collected(request, function))


def test_world_stands_for_the_tests_that_ask_for_it(grown: None, db: Any) -> None:
    assert worlds.is_standing()
    assert Group.objects.filter(name="Of this world").exists()


@pytest.mark.usefixtures("grown")
def test_guard_is_asked_before_each_test_of_a_world(request: pytest.FixtureRequest) -> None:
    """The fixture that every test has runs it: a mark set on the way is seen, as one above the function would be."""
    guard = request.node._fixtureinfo.name2fixturedefs["_in_world"][-1].func
    request.node.add_marker(pytest.mark.serial)

    with pytest.raises(pytest.fail.Exception, match="A world stands in this module"):
        next(guard(request))
