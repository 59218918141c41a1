"""The supervisor behind `manage.py up`, with small stand-ins for web and workers."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from segmentation_site import processes
from segmentation_site.processes import Child, Supervisor

WAIT = "import time\nwhile True: time.sleep(0.1)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\n" + WAIT
WITH_GRANDCHILD = (
    "import subprocess, sys\n"
    f"child = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n"
    "print('grandchild', child.pid, flush=True)\n" + WAIT
)


def child(name: str, program: str, environment: dict[str, str] | None = None) -> Child:
    return Child(name, [sys.executable, "-c", program], environment)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def run(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[Child]], Supervisor]]:
    monkeypatch.setattr(processes, "STOP_SECONDS", 1.0)
    started: list[tuple[Supervisor, threading.Thread]] = []

    def start(children: list[Child]) -> Supervisor:
        supervisor = Supervisor(children, write=lines.append)
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        started.append((supervisor, thread))
        return supervisor

    yield start
    for supervisor, thread in started:
        supervisor.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "This did not happen in time."
        time.sleep(0.05)


def said(lines: list[str], text: str) -> bool:
    return any(text in line for line in lines)


def test_output_of_children_carries_their_name(run: Callable[[list[Child]], Supervisor], lines: list[str]) -> None:
    run([child("web", "print('hello', flush=True)\n" + WAIT), child("interactive", WAIT)])

    until(lambda: said(lines, "hello"))

    assert "web         | hello\n" in lines


def test_child_that_dies_is_started_again_and_later_each_time(
    run: Callable[[list[Child]], Supervisor], lines: list[str], tmp_path: Path
) -> None:
    program = f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); raise SystemExit(3)"

    run([child("web", program)])

    until(lambda: (tmp_path / "starts").exists() and len((tmp_path / "starts").read_text()) >= 2)
    until(lambda: said(lines, "in 2 s"))
    assert said(lines, "ended with code 3; starting it again in 1 s")


def test_stop_ends_children_their_children_and_the_deaf(
    run: Callable[[list[Child]], Supervisor], lines: list[str]
) -> None:
    supervisor = run([child("web", WITH_GRANDCHILD), child("beat", STUBBORN)])
    until(lambda: said(lines, "grandchild") and sum("deaf" in line for line in lines) == 2)
    pids = [item.process.pid for item in supervisor.children if item.process]
    pids += [int(line.split()[-1]) for line in lines if "grandchild" in line]

    began = time.monotonic()
    supervisor.stop()
    until(lambda: not any(alive(pid) for pid in pids))

    assert time.monotonic() - began < 10


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_stop_asks_first_and_lets_work_finish(
    run: Callable[[list[Child]], Supervisor], lines: list[str], tmp_path: Path
) -> None:
    finish = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.2)\n"
        f"    open({str(tmp_path / 'finished')!r}, 'w').close()\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
    )
    supervisor = run([child("bulk", finish + WAIT)])
    until(lambda: said(lines, "ready"))

    supervisor.stop()

    until(lambda: (tmp_path / "finished").exists())


def test_child_has_the_environment_it_is_given_and_nothing_else(
    run: Callable[[list[Child]], Supervisor], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://owner:secret@db/cutline")
    program = "import os\nprint('sees', os.environ.get('DATABASE_OWNER_URL'), os.environ['MINE'], flush=True)\n"

    run([child("web", program + WAIT, {"MINE": "yes"})])

    until(lambda: said(lines, "sees None yes"))
