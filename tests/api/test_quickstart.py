"""docs/api-quickstart.md, run: its commands with the real curl and shell, its answers compared."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import PendingEvaluation
from accounts.services.evaluation import evaluate_pending
from tests.accounts.activating import activate, signed_version
from tests.api.making import make_service, make_token
from tests.api.test_feed import settle

PAGE = Path(__file__).parents[2] / "docs" / "api-quickstart.md"
STEPS = re.findall(r"```sh\n(.*?)```\n+```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
ANY = "…"


def assert_like(expected: Any, found: Any, place: str = "answer") -> None:
    """Equal, where `…` is any value, at the end of a list any rows, and as a key any further members."""
    if expected == ANY:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        assert ANY in expected or set(expected) == set(found), place
        for key in expected.keys() - {ANY}:
            assert_like(expected[key], found[key], f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        is_open = bool(expected) and expected[-1] == ANY
        rows = expected[:-1] if is_open else expected
        assert len(found) >= len(rows) if is_open else len(found) == len(rows), place
        for index, (wanted, row) in enumerate(zip(rows, found, strict=False)):
            assert_like(wanted, row, f"{place}[{index}]")
    else:
        assert found == expected, place


def run(step: str, environment: dict[str, str], folder: Path) -> str:
    """The step in a shell that has what the steps before defined."""
    state = folder / "state"
    keep = f"{{ declare -f; declare -p next; }} > {state} 2>/dev/null || true"
    script = f"set -euo pipefail; [ ! -f {state} ] || . {state}\n{step}\n{keep}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.serial
@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl on this machine.")
def test_quickstart_does_what_it_says(live_server: Any, tmp_path: Path) -> None:
    activate(signed_version())
    environment = {"CUTLINE_URL": live_server.url, "CUTLINE_TOKEN": make_token(make_service())}

    for step, answer in STEPS:
        found = run(step, environment, tmp_path)
        assert_like(json.loads(answer), json.loads(found))
        # What a worker does within a second.
        while PendingEvaluation.objects.exists():
            evaluate_pending(at=timezone.now())
        settle()


def test_quickstart_has_a_step_for_every_command() -> None:
    assert len(STEPS) == PAGE.read_text().count("```sh\n") == 8
