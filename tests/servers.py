"""Loaded by pytest (`-p tests.servers`) before Django's settings: servers, role and a database of this run's own.

Two runs at the same time, in two terminals, must not share a test database: each run takes the lowest free slot
and keeps it locked while it lives. Processes of one run get a database each (pytest-django) and a Redis database
each (here).
"""

import fcntl
import os
from typing import IO
from urllib.parse import urlsplit

from segmentation_site import embedded

VAR = embedded.PROJECT / "var"
SLOTS = 16
_held: list[IO[str]] = []


def _take_slot() -> int:
    VAR.mkdir(exist_ok=True)
    for slot in range(SLOTS):
        file = (VAR / f"tests-{slot}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        _held.append(file)
        return slot
    raise RuntimeError(f"{SLOTS} test runs are going on already.")


def _prepare_run() -> None:
    os.environ["CUTLINE_DATABASE_ROLE"] = "owner"
    os.environ["CUTLINE_PROCESS"] = "tests"
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs an event loop around its tests
    embedded.provide_environment()
    slot = _take_slot()
    os.environ["CUTLINE_TEST_SLOT"] = str(slot)
    os.environ["CUTLINE_TEST_DATABASE"] = "test_cutline" + (f"_{slot}" if slot else "")


def _prepare_process() -> None:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # A Redis has 16 databases unless told otherwise; 0 is the one people work with.
    number = 1 + (int(os.environ["CUTLINE_TEST_SLOT"]) * 4 + worker) % 15
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}").geturl()


if "PYTEST_XDIST_WORKER" not in os.environ:
    _prepare_run()
_prepare_process()
