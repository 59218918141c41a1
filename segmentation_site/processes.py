"""Child processes kept running in one terminal: started, prefixed, restarted, and stopped together."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

# A child that lived this long has recovered: its next failure is a first one again.
SETTLED_SECONDS = 60.0
LONGEST_PAUSE = 30.0
# After Ctrl-C: how long children may finish what they do, before their process groups are killed. What is
# cut off then is work that a row in the database still owes.
STOP_SECONDS = 3.5


@dataclass
class Child:
    """One program and its present process. Without an `environment` it gets ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_at: float = 0.0


class Supervisor:
    """Runs children until `stop` is called, each in a process group of its own."""

    def __init__(self, children: Sequence[Child], *, write: Callable[[str], object] = sys.stdout.write) -> None:
        self.children = children
        self._write = write
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._width = max(len(child.name) for child in children)

    def stop(self) -> None:
        """End `run` soon; called again, at once."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def run(self, *, each_round: Callable[[], object] = lambda: None) -> None:
        """Start the children, start them again when they end, and stop them all before returning."""
        try:
            while not self._stopping.is_set():
                for child in self.children:
                    self._attend(child)
                each_round()
                self._stopping.wait(0.2)
        finally:
            self._stop_all()

    def say(self, name: str, text: str) -> None:
        self._write(f"{name:<{self._width}} | {text}\n")
        sys.stdout.flush()

    def _attend(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child)
        elif (code := child.process.poll()) is not None:
            _kill_group(child.process)
            child.process = None
            child.failures = 0 if now - child.started_at > SETTLED_SECONDS else child.failures + 1
            pause = min(LONGEST_PAUSE, 2.0**child.failures / 2)
            child.start_at = now + pause
            self.say(child.name, f"ended with code {code}; starting it again in {pause:.0f} s")

    def _start(self, child: Child) -> None:
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(
            child.command,
            env=child.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C reaches only us: we decide who is asked to stop, and how.
            start_new_session=True,
        )
        threading.Thread(target=self._relay, args=(child.name, child.process.stdout), daemon=True).start()

    def _relay(self, name: str, lines: IO[str]) -> None:
        for line in lines:
            self.say(name, line.rstrip("\n"))

    def _stop_all(self) -> None:
        processes = [child.process for child in self.children if child.process]
        for process in processes:
            # Only the leader: a pool's own children must not lose the task they are in.
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.poll() is None for process in processes):
            if time.monotonic() > deadline or self._hurry.is_set():
                break
            time.sleep(0.05)
        for process in processes:
            _kill_group(process)
            process.wait()


def _kill_group(process: subprocess.Popen[str]) -> None:
    """Whatever is left of a child's process group, also when its leader has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
