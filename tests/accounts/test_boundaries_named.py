"""The table of boundary cases in the documentation names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

BASE = Path(settings.BASE_DIR)


def test_every_boundary_case_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (?!case |---)(.+?) \| (.+) \|$", (BASE / "docs/criteria-boundaries.md").read_text(), re.M)
    defined = {
        name
        for path in (BASE / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }

    named = {case: re.findall(r"`(test_\w+)`", tests) for case, tests in rows}

    assert len(named) >= 40
    assert [case for case, tests in named.items() if not tests] == []
    assert [test for tests in named.values() for test in tests if test not in defined] == []
