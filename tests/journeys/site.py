"""Cutline as it runs: an empty database of its own, web, worker and beat as processes with the application's role."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PASSWORD = "cutline-demo"


class Site:
    """Started by `start`, ended by `stop`; what it made is dropped. `address` is where a browser finds it.

    Its database begins as a copy of `template`, a database of `prepared.py`; without one it is empty.
    """

    def __init__(self, name: str, logs: Path, *, template: str = "", redis_url: str = "") -> None:
        self.name = name
        self.logs = logs
        self.template = template
        self.owner_url = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.port = free_port()
        self.address = f"http://{HOST}:{self.port}"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "CUTLINE_TEST"))},
            "DATABASE_URL": with_database(os.environ["DATABASE_URL"], name),
            "DATABASE_OWNER_URL": with_database(self.owner_url, name),
            "REDIS_URL": redis_url or os.environ["REDIS_URL"],
            "CUTLINE_DATABASE_ROLE": "application",
            "CUTLINE_DEMO": "1",
            "CUTLINE_DEMO_PASSWORD": PASSWORD,
            "SITE_URL": self.address,
            "PORT": str(self.port),
            "AUDIT_ANCHOR_FILE": str(logs / "anchors.jsonl"),
            "LOG_LEVEL": "WARNING",
        }

    def create_database(self) -> None:
        if self.template:
            self._administer(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), self.template)
        else:
            self._administer(sql.SQL("CREATE DATABASE {}"))
            self.manage("migrate", "--verbosity", "0", role="owner")

    def rename_database(self, name: str) -> None:
        self._administer(sql.SQL("ALTER DATABASE {} RENAME TO {}"), name)
        self.name = name

    def drop_database(self) -> None:
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"))

    def start(self) -> None:
        self.create_database()
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "--quiet", "-A", "segmentation_site"]
        queues = ["-Q", "interactive,bulk,webhooks,maintenance", "--concurrency", "1", "--without-mingle"]
        web = ["--bind", f"{HOST}:{self.port}", "--worker-class", "gthread", "--threads", "8", "--no-control-socket"]
        self._run("web", [*python, "gunicorn", "segmentation_site.wsgi", *web], "web")
        self._run("worker", [*celery, "worker", "-n", f"{self.name}@%h", *queues], "worker")
        self._run("beat", [*celery, "beat", "--pidfile="], "worker")
        self._wait(60)

    def stop(self) -> None:
        for process in self.processes:
            _signal(process, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        self.drop_database()

    def manage(self, *arguments: str, role: str = "application", check: bool = True) -> str:
        """Run a management command against this site's database; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env={**self.environment, "CUTLINE_DATABASE_ROLE": role, "CUTLINE_PROCESS": "command"},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Look behind the screens."""
        with psycopg.connect(with_database(self.owner_url, self.name)) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def _run(self, name: str, command: list[str], process: str) -> None:
        log = (self.logs / f"{name}.log").open("wb")
        environment = {**self.environment, "CUTLINE_PROCESS": process}
        environment.pop("DATABASE_OWNER_URL")
        self.processes.append(
            subprocess.Popen(
                command,
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert all(process.poll() is None for process in self.processes), self.said()
            try:
                with urllib.request.urlopen(f"{self.address}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"Not ready after {seconds} s\n{self.said()}")

    def said(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.logs.glob("*.log")))

    def _administer(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(with_database(self.owner_url, "postgres"), autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, (self.name, *names))))


def wait_until(site: Site, question: str, *parameters: object, seconds: float = 30) -> None:
    """Until the database answers true; fails with what the processes said."""
    end = time.monotonic() + seconds
    while site.query(question, *parameters) != [(True,)]:
        assert time.monotonic() < end, f"{question}\n{site.said()}"
        time.sleep(0.3)


def with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
