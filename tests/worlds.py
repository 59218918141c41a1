"""A module's world: what is costly to make, made once and then taken back after the last test of the module.

A module-scoped fixture that asks for `world` may write to the database. All its tests see what it wrote, and each
test's own transaction is a savepoint within that of the world, so none sees what another did. A world may stand on
another one of its module: pytest runs the tests that want an empty database first, then those of the outer world,
then those of the inner one. Three rules:

- A world fixture gives no objects; each test fetches its own, for a changed object would outlive the savepoint.
- It sets its own clock: the clock of a test starts later.
- No test of the module may be `serial` or transactional, or look through another connection.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

import pytest
from django.db import transaction

from accounts import relevance
from accounts.evaluation import engine
from frameworks import standing_cache
from tests.servers import VAR

TURN = VAR / "tests-turn.lock"
_standing: list[bool] = []


def is_standing() -> bool:
    """Whether this process has a world, and with it the turn, between two tests."""
    return bool(_standing)


@contextmanager
def standing() -> Iterator[None]:
    """Everything written inside is taken back. Holds the turn: a test that needs the servers alone must not begin
    while a transaction is open, and whoever waits for the turn must not wait for the next test of this module."""
    with TURN.open("w") as turn, transaction.atomic():
        fcntl.flock(turn, fcntl.LOCK_SH)
        _standing.append(True)
        try:
            yield
        finally:
            _standing.pop()
            transaction.set_rollback(True)


def refuse_alone(item: pytest.Item) -> None:
    """A test that commits, or that needs the servers alone, has no place in a world: pytest runs it too late there."""
    marker = item.get_closest_marker("django_db")
    commits = bool(marker and marker.kwargs.get("transaction")) or "transactional_db" in getattr(
        item, "fixturenames", ()
    )
    if commits or item.get_closest_marker("serial"):
        pytest.fail("A world stands in this module: move this test to a module of its own.")


def forget_versions() -> None:
    """Empty the memories kept by a version's key: in a world, the next test has a version with the same key."""
    engine._compiled_plan.cache_clear()
    standing_cache.forget()
    relevance._read_by.cache_clear()


def sort_by_world(items: list[pytest.Item]) -> None:
    """Within each module, tests with fewer module-scoped fixtures first; otherwise the order stays."""
    items[:] = [item for _, tests in groupby(items, _module) for item in sorted(tests, key=_depth)]


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _depth(item: pytest.Item) -> int:
    found = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    if "world" not in found:
        return 0
    return sum(definitions[-1].scope == "module" for definitions in found.values())
