"""`manage.py reset`: asks, deletes what this checkout made, touches nothing else."""

from io import StringIO
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from segmentation_site import embedded


@pytest.fixture
def var(settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "audit-anchors.jsonl")
    for name in ("servers", "media", "mail"):
        (tmp_path / name).mkdir()
    for name in ("secret_key", "audit-anchors.jsonl", "up.lock"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("answer", ["", "no", "y", "Yes please"])
def test_reset_without_a_clear_yes_deletes_nothing(var: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{answer}\n" if answer else ""))
    before = sorted(path.name for path in var.iterdir())

    with mock.patch.object(embedded, "reset") as deleted, pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("reset", stdout=StringIO())

    assert not deleted.called
    assert sorted(path.name for path in var.iterdir()) == before


def test_reset_after_a_yes_deletes_data_and_keeps_key_and_locks(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("yes\n"))

    with mock.patch.object(embedded, "reset") as deleted:  # the real one is shown in test_embedded.py
        call_command("reset", stdout=StringIO())

    assert deleted.call_count == 1
    assert sorted(path.name for path in var.iterdir()) == ["secret_key", "servers", "up.lock"]


def test_reset_while_servers_are_in_use_deletes_nothing(var: Path) -> None:
    before = sorted(path.name for path in var.iterdir())
    refusal = embedded.EmbeddedServerError("in use")

    with mock.patch.object(embedded, "reset", side_effect=refusal), pytest.raises(CommandError, match="in use"):
        call_command("reset", "--yes", stdout=StringIO())

    assert sorted(path.name for path in var.iterdir()) == before
