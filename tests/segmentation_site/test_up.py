"""`manage.py up` whole: real web, workers and beat against a database of its own, stopped by Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError
from psycopg import sql

from segmentation_site.embedded import PROJECT
from segmentation_site.management.commands import up

NAME = "test_cutline_up"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An empty database beside the tests' own, and this run's broker."""
    owner = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
    name = sql.Identifier(f"{NAME}_{os.environ['CUTLINE_TEST_SLOT']}")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("CUTLINE_", "PYTEST_"))}
    urls = {
        key: value.rsplit("/", 1)[0] + f"/{name.as_string()}".replace('"', "")
        for key, value in inherited.items()
        if key in ("DATABASE_URL", "DATABASE_OWNER_URL")
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    yield {**inherited, **urls, "REDIS_URL": settings.REDIS_URL, "CUTLINE_VAR": str(tmp_path), "PORT": port}
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def start(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        command = [sys.executable, "manage.py", "up"]
        return subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def wait_until_ready(process: subprocess.Popen[bytes], port: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while b"is ready" not in log.read_bytes():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        assert json.load(answer) == {"status": "ok"}


def test_up_serves_and_leaves_nothing_behind(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    process = start(environment, log)
    wait_until_ready(process, environment["PORT"], log)
    children = psutil.Process(process.pid).children(recursive=True)
    programs = [" ".join(child.cmdline()) for child in psutil.Process(process.pid).children()]
    environments = [child.environ() for child in psutil.Process(process.pid).children()]

    second = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait(timeout=15)

    assert time.monotonic() - began < 10
    assert code == 0
    assert psutil.wait_procs(children, timeout=1)[1] == []
    for words in ("gunicorn segmentation_site.wsgi", "-Q interactive", "-Q bulk,webhooks,maintenance", " beat "):
        assert any(words in program for program in programs), log.read_text()
    assert {own["CUTLINE_DATABASE_ROLE"] for own in environments} == {"application"}
    assert not any("DATABASE_OWNER_URL" in own for own in environments)
    assert second.returncode != 0
    assert "already running" in second.stderr


def test_up_after_being_killed_ends_what_was_left_and_starts_again(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    process = start(environment, log)
    wait_until_ready(process, environment["PORT"], log)
    left = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    log.write_bytes(b"")

    again = start(environment, log)
    wait_until_ready(again, environment["PORT"], log)

    assert psutil.wait_procs(left, timeout=5)[1] == []
    again.send_signal(signal.SIGTERM)
    assert again.wait(timeout=15) == 0


def test_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(CommandError, match=f"Port {port} is taken"):
            up._port(port)


def test_port_left_open_is_the_usual_one_or_a_free_one() -> None:
    port = up._port(0)

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
