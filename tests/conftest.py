"""What every test may use: the database's two roles, turns for tests that need the server alone, a browser."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from django.conf import settings
from django.db import connection, transaction
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from frameworks.models import FrameworkVersion
from tests import worlds
from tests.accounts.activating import AT, activate, signed_version
from tests.accounts.test_runs import spread
from tests.journeys.prepared import drop_prepared
from tests.servers import VAR

hypothesis_settings.register_profile("quick", max_examples=12, deadline=None)
hypothesis_settings.register_profile("long", max_examples=10_000, deadline=None)
# Says quickly whether anything is wrong, with an example nobody would want to read.
hypothesis_settings.register_profile("scan", max_examples=300, deadline=None, phases=[Phase.generate])
hypothesis_settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    # Argon2 is slow on purpose; what it protects is not what these tests are about.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


def pytest_sessionstart(session: pytest.Session) -> None:
    _drop_prepared(session.config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    _drop_prepared(session.config)


def _drop_prepared(config: pytest.Config) -> None:
    """By the process that started the run: the others share what one of them made."""
    if not hasattr(config, "workerinput"):
        drop_prepared()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A test marked `serial` has the servers for itself, also against other processes and other runs.

    Whoever waits for that holds the gate, so that the others cannot keep overtaking it. A module with a world keeps
    its turn until its last test.
    """
    if worlds.is_standing():
        return (yield)
    turn = fcntl.LOCK_EX if item.get_closest_marker("serial") else fcntl.LOCK_SH
    with (VAR / "tests-gate.lock").open("w") as gate, worlds.TURN.open("w") as own_turn:
        fcntl.flock(gate, turn)
        fcntl.flock(own_turn, turn)
        if turn == fcntl.LOCK_SH:
            fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The test database, with emptying allowed: transactional tests end with TRUNCATE.

    A test that shows that TRUNCATE is refused enables the trigger again, within its own transaction.
    """
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            _ensure_application_role(cursor)
            cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'append_only_truncate'")
            for (table,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only_truncate")
        connection.close()


def _ensure_application_role(cursor: Any) -> None:
    """Where one role does everything and may make roles, make the second one: its limits are worth testing."""
    name = settings.DATABASE_APPLICATION_ROLE
    cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [name])
    (known,) = cursor.fetchone()
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    (may_create,) = cursor.fetchone()
    if known or not may_create:
        return
    from frameworks.database_rules import grant_application_role

    cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    cursor.execute(sql.SQL("GRANT {} TO current_user").format(sql.Identifier(name)))
    grant_application_role()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    worlds.sort_by_world(items)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """For a module-scoped fixture that writes what all tests of its module read: see tests/worlds.py."""
    with django_db_blocker.unblock(), worlds.standing():
        yield


@pytest.fixture(scope="module")
def signed_world(world: None) -> None:
    """The accounts of `spread`, and v0 of the template, signed and not yet active."""
    with time_machine.travel(AT, tick=False):
        spread()
        signed_version()


@pytest.fixture(scope="module")
def active_world(signed_world: None) -> None:
    """The accounts of `spread` in the segments of v0."""
    with time_machine.travel(AT, tick=False):
        activate(FrameworkVersion.objects.get())


@pytest.fixture(autouse=True)
def _in_world(request: pytest.FixtureRequest) -> Iterator[None]:
    if worlds.is_standing():
        worlds.refuse_alone(request.node)
    yield
    if worlds.is_standing():
        worlds.forget_versions()


@pytest.fixture
def application_role(db: None) -> Callable[[], AbstractContextManager[None]]:
    """`with application_role(): …` runs with the rights that the web process and the workers have."""
    name = settings.DATABASE_APPLICATION_ROLE
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname = %s AND pg_has_role(current_user, oid, 'MEMBER')", [name]
        )
        if not cursor.fetchone()[0]:
            pytest.skip(f"This database has no role {name} that {settings.DATABASES['default']['USER']} may take.")

    @contextlib.contextmanager
    def as_application() -> Iterator[None]:
        # Within a savepoint: when the statement is refused, rolling back also gives the role back.
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(name)))
            yield
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")

    return as_application


@pytest.fixture(autouse=True, scope="session")
def _empty_broker() -> None:
    with contextlib.closing(redis.Redis.from_url(settings.REDIS_URL)) as client:
        client.flushdb()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium or Chrome; `make test` installs it where it can."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    applications = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ]
    found = [path for path in map(shutil.which, names) if path] + [path for path in applications if Path(path).exists()]
    if not found:
        pytest.fail("No Chromium on this machine. Debian: apt-get install chromium. macOS: install Google Chrome.")
    return found[0]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], chromium: str) -> dict[str, Any]:
    arguments = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium's sandbox refuses to run as root
    return {**browser_type_launch_args, "executable_path": chromium, "args": arguments}
