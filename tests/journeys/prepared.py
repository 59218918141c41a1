"""Databases that sites begin as copies of: migrated and filled up to a stage of the demo, once in a run of the tests.

Filling one takes longer than most journeys. Whoever needs a stage first makes it, also for the other processes of
the run; the process that started the run drops them all.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.journeys.site import Site, with_database
from tests.servers import VAR

# No worker has run beside the demo: what it owes is done here, so that every site begins at rest.
_NOTHING_OWED = """
from django.utils import timezone
from accounts.services.evaluation import evaluate_pending
while evaluate_pending(at=timezone.now()):
    pass
"""
STAGES = ("people", "draft", "active", "full")


def prepared(stage: str, logs: Path) -> str:
    """The name of the database of that stage of the demo. `logs` is a directory of the caller's."""
    site = Site(_name(stage), logs)
    with (VAR / f"{site.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not _is_there(site):
            half_made = Site(f"{site.name}_half_made", logs)
            half_made.drop_database()
            half_made.create_database()
            half_made.manage("demo", "--until", stage)
            half_made.manage("shell", "-c", _NOTHING_OWED)
            half_made.rename_database(site.name)
    return site.name


@contextmanager
def running_site(name: str, logs: Path, *, stage: str, redis_url: str = "") -> Iterator[Site]:
    """A site of its own that begins with that stage of the demo."""
    template = prepared(stage, logs)
    site = Site(f"cutline_{name}_{os.getpid()}", logs, template=template, redis_url=redis_url)
    try:
        site.start()
        yield site
    finally:
        site.stop()


def drop_prepared() -> None:
    for stage in STAGES:
        Site(_name(stage), Path(tempfile.gettempdir())).drop_database()
        (VAR / f"{_name(stage)}.lock").unlink(missing_ok=True)


def _name(stage: str) -> str:
    return f"cutline_prepared_{os.environ['CUTLINE_TEST_SLOT']}_{stage}"


def _is_there(site: Site) -> bool:
    with psycopg.connect(with_database(site.owner_url, "postgres")) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [site.name]).fetchone()
    return found is not None
