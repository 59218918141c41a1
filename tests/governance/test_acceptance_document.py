"""The list of acceptance names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = list((ROOT / "tests").rglob("*.py"))
NAMES = [name for file in FILES for name in re.findall(r"^def test_(\w+)", file.read_text(), re.MULTILINE)]
QUOTED = sorted(set(re.findall(r"`([^`]+)`", (ROOT / "docs/acceptance.md").read_text())))


@pytest.mark.parametrize("quoted", QUOTED)
def test_name_in_the_acceptance_list_is_one_of_a_test(quoted: str) -> None:
    if quoted.endswith((".py", "/")):
        assert any(quoted.rstrip("/") in str(file.relative_to(ROOT)) for file in FILES)
    else:
        wanted = ".*".join(re.escape(piece) for piece in quoted.split("…"))
        assert any(re.search(wanted, name) for name in NAMES)
