"""What the settings refuse, and which role and limits they give to which process."""

import runpy
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from segmentation_site.embedded import PROJECT

KEY = "kX3vQ9-mZ7pL2wR8tY5uN1bC6dF4gH0jS_aEiOqVxWzKyMnPrTs"
PRODUCTION = {
    "CUTLINE_PROFILE": "production",
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "cutline.example.com",
    "SITE_URL": "https://cutline.example.com",
    "DATABASE_URL": "postgres://cutline_app:secret@db/cutline",
    "REDIS_URL": "redis://:secret@redis/0",
    "DEBUG": "",
    "CUTLINE_DEMO": "",
}


@pytest.fixture
def settings_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The settings as a fresh process with this environment would see them."""

    def load(**environment: str) -> dict[str, Any]:
        monkeypatch.setenv("CUTLINE_VAR", str(tmp_path / "var"))
        monkeypatch.setenv("STATIC_ROOT", str(tmp_path / "static"))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(PROJECT / "segmentation_site" / "settings.py"))

    return load


def test_settings_complete_for_production_are_accepted(settings_with: Any) -> None:
    settings = settings_with(**PRODUCTION)

    assert settings["DEBUG"] is False
    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://cutline.example.com"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DEBUG", "1", "DEBUG is on"),
        ("CUTLINE_DEMO", "1", "CUTLINE_DEMO is on"),
        ("SECRET_KEY", "", "SECRET_KEY must be set"),
        ("SECRET_KEY", "short", "SECRET_KEY must be set"),
        ("SECRET_KEY", "a" * 60, "SECRET_KEY must be set"),
        ("SECRET_KEY", "change-me-" + KEY, "SECRET_KEY is a documented example"),
        ("SECRET_KEY", "django-insecure-" + KEY, "SECRET_KEY is a documented example"),
        ("ALLOWED_HOSTS", "", "ALLOWED_HOSTS must name"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must name"),
        ("ALLOWED_HOSTS", "cutline.example.com,*.example.com", "ALLOWED_HOSTS must name"),
        ("DATABASE_URL", "", "DATABASE_URL must be set"),
        ("REDIS_URL", "", "REDIS_URL must be set"),
        ("SITE_URL", "", "SITE_URL must start"),
        ("SITE_URL", "http://cutline.example.com", "SITE_URL must start"),
    ],
)
def test_settings_unfit_for_production_are_refused(settings_with: Any, name: str, value: str, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=reason):
        settings_with(**{**PRODUCTION, name: value})


def test_settings_unfit_in_many_ways_name_all_of_them(settings_with: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DEBUG.*SECRET_KEY.*ALLOWED_HOSTS"):
        settings_with(**{**PRODUCTION, "DEBUG": "1", "SECRET_KEY": "", "ALLOWED_HOSTS": "*"})


def test_settings_of_an_unknown_profile_are_refused(settings_with: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="CUTLINE_PROFILE"):
        settings_with(CUTLINE_PROFILE="staging")


def test_key_in_development_is_made_once_and_private(settings_with: Any, tmp_path: Path) -> None:
    first = settings_with(SECRET_KEY="")["SECRET_KEY"]
    second = settings_with(SECRET_KEY="")["SECRET_KEY"]

    path = tmp_path / "var" / "secret_key"
    assert first == second == path.read_text()
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir() if file.name.startswith("secret")] == ["secret_key"]


@pytest.mark.parametrize(
    ("role", "owner_url", "expected"),
    [
        ("application", "postgres://cutline_owner:o@db/cutline", "cutline_app"),
        ("owner", "postgres://cutline_owner:o@db/cutline", "cutline_owner"),
        ("owner", "", "cutline_app"),
    ],
)
def test_database_role_follows_the_kind_of_command(
    settings_with: Any, role: str, owner_url: str, expected: str
) -> None:
    settings = settings_with(**PRODUCTION, CUTLINE_DATABASE_ROLE=role, DATABASE_OWNER_URL=owner_url)

    assert settings["DATABASES"]["default"]["USER"] == expected


@pytest.mark.parametrize(
    ("process", "statement", "publishing"),
    [("web", 15_000, 1), ("worker", 45_000, 5), ("command", 0, 1)],
)
def test_time_limits_follow_the_kind_of_process(
    settings_with: Any, process: str, statement: int, publishing: int
) -> None:
    settings = settings_with(**PRODUCTION, CUTLINE_PROCESS=process)

    options = settings["DATABASES"]["default"]["OPTIONS"]["options"]
    assert f"-c statement_timeout={statement} " in options
    assert "-c lock_timeout=3000 " in options
    assert settings["CELERY_BROKER_TRANSPORT_OPTIONS"]["socket_timeout"] == publishing


def test_secrets_of_the_environment_are_not_in_the_repository() -> None:
    ignored = (PROJECT / ".gitignore").read_text().split()

    assert "var/" in ignored
