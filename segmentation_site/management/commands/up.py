"""Everything in one terminal: web, two workers and beat, on this machine, until Ctrl-C."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import connections

from segmentation_site.processes import Child, Supervisor

HOST = "127.0.0.1"
USUAL_PORT = 8000


class Command(BaseCommand):
    help = "Run web, workers and beat in one terminal. PORT fixes the port; CUTLINE_DEMO=1 loads the demo."
    requires_system_checks = ()
    _people_known = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 0))

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        with contextlib.suppress(KeyboardInterrupt), _only_one():
            _end_leftovers()
            port = _port(options["port"])
            self._prepare()
            self._run(port)

    def _prepare(self) -> None:
        self.stdout.write("Preparing the database …")
        self.stdout.flush()
        call_command("migrate", verbosity=0, interactive=False)
        empty = not get_user_model().objects.exists()
        connections.close_all()
        if empty and settings.DEMO:
            self.stdout.write("Loading the demo: this happens once …")
            self.stdout.flush()
            command = [sys.executable, "manage.py", "demo"]
            if subprocess.run(command, check=False, cwd=settings.BASE_DIR, env=_environment()).returncode:
                raise CommandError("The demo could not be loaded. Start over with: make reset")
            self._people_known = True

    def _run(self, port: int) -> None:
        address = f"http://{HOST}:{port}"
        supervisor = Supervisor(_children(port))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.stop())
        supervisor.run(each_round=_Rounds(self, supervisor, address))
        _record().unlink(missing_ok=True)
        self.stdout.write("Stopped.")

    def announce(self, address: str) -> None:
        self.stdout.write(f"\nCutline is ready: {address}\n")
        if not self._people_known:
            self._introduce()
        self.stdout.write("\nCtrl-C stops it. The data stays.\n")
        self.stdout.flush()

    def _introduce(self) -> None:
        if settings.DEMO:
            call_command("demo", people=True)
        elif not get_user_model().objects.exists():
            self.stdout.write("Nobody can log in yet. Make the first login with: manage.py createsuperuser")
        connections.close_all()


class _Rounds:
    """What `up` does between looking after its children: remember them, and say once when pages are served."""

    def __init__(self, command: Command, supervisor: Supervisor, address: str) -> None:
        self._command, self._supervisor, self._address = command, supervisor, address
        self._known: list[int] = []
        self._announced = False

    def __call__(self) -> None:
        pids = [child.process.pid for child in self._supervisor.children if child.process]
        if pids != self._known:
            _record().write_text(json.dumps([[pid, _created(pid)] for pid in pids]))
            self._known = pids
        if not self._announced and _answers(f"{self._address}/readyz"):
            self._announced = True
            self._command.announce(self._address)


def _children(port: int) -> list[Child]:
    python = [sys.executable, "-m"]
    gunicorn = [*python, "gunicorn", "segmentation_site.wsgi", "--bind", f"{HOST}:{port}", "--log-level", "warning"]
    gunicorn += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--graceful-timeout", "3"]
    gunicorn += ["--no-control-socket"]
    celery = [*python, "celery", "--quiet", "-A", "segmentation_site"]
    log = ["--loglevel", os.environ.get("LOG_LEVEL", "WARNING")]
    worker = [*celery, "worker", *log, "--without-gossip", "--without-mingle"]
    environment = _environment(SITE_URL=os.environ.get("SITE_URL", f"http://{HOST}:{port}"), PORT=str(port))
    return [
        Child("web", gunicorn, {**environment, "CUTLINE_PROCESS": "web"}),
        Child("interactive", [*worker, "-n", "interactive@%h", "-Q", "interactive"], environment),
        Child("bulk", [*worker, "-n", "bulk@%h", "-Q", "bulk,webhooks,maintenance"], environment),
        Child("beat", [*celery, "beat", *log, "--pidfile="], environment),
    ]


def _environment(**more: str) -> dict[str, str]:
    """Ours, less the owner's password: what runs has the application's rights and cannot take others."""
    own = {name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"}
    return {
        **own,
        "CUTLINE_DATABASE_ROLE": "application",
        "CUTLINE_PROCESS": "worker",
        "REMAP_SIGTERM": "SIGQUIT",
        "WORKER_SOFT_SHUTDOWN_SECONDS": "2",
        "WORKER_SOFT_SHUTDOWN_ON_IDLE": "0",
        "PYTHONUNBUFFERED": "1",
        # As root, in a container or on a trial machine, Celery prints a page of advice for each worker.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        **more,
    }


def _port(wanted: int) -> int:
    """The wanted port, or else the usual one when it is free, or else any."""
    for port in (wanted,) if wanted else (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise CommandError(f"Port {wanted} is taken. Choose another one (PORT=…) or leave the choice to us.")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False


# One `up` per checkout, and nothing left of one that was killed.


@contextlib.contextmanager
def _only_one() -> Any:
    settings.VAR_DIR.mkdir(exist_ok=True)
    with (settings.VAR_DIR / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError("Cutline is already running from this directory.") from None
        yield


def _record() -> Path:
    return Path(settings.VAR_DIR) / "up.json"


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _end_leftovers() -> None:
    """Children of an `up` that was killed still work on the queues: end them before starting others."""
    try:
        recorded = json.loads(_record().read_text())
    except (FileNotFoundError, ValueError):
        return
    left = [psutil.Process(pid) for pid, created in recorded if created and _created(pid) == created]
    left += [child for process in left for child in process.children(recursive=True)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)  # their port is free again only then
    _record().unlink(missing_ok=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
