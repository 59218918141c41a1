"""Locks that would meet a foreign key: a check at commit waits for FOR UPDATE, and whoever holds that waits for the
head of the audit chain, which the one at commit holds."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REFERRED_TO = ("Account", "Framework", "FrameworkVersion", "User")


@pytest.mark.parametrize("app", ["frameworks", "accounts", "governance"])
def test_rows_that_many_refer_to_are_locked_without_their_key(app: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {call}"
        for path in (ROOT / app).rglob("*.py")
        for call in re.findall(
            rf"\b(?:{'|'.join(REFERRED_TO)})\.objects\.select_for_update\([^\n]*", path.read_text(encoding="utf-8")
        )
        if "no_key=True" not in call
    ]

    assert found == []
