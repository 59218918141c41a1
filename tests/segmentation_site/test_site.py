"""What holds for every request and every process: probes, headers, sessions, passwords, cache, queues."""

import gc
import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, cast
from unittest import mock
from urllib.parse import quote

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.template.loaders.cached import Loader
from django.test import Client, RequestFactory
from django.test.utils import override_settings
from django.urls import reverse

from segmentation_site import health
from segmentation_site.cache import ForgivingRedisCache
from segmentation_site.celery import app
from segmentation_site.log_lines import hide_secrets
from segmentation_site.middleware import ContentSecurityPolicyMiddleware, RequestIdMiddleware, SecureApiMiddleware
from segmentation_site.warm import warm_up


def answer(request: Any) -> HttpResponse:
    return HttpResponse("ok")


def test_healthz_answers_without_a_database(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_answers_when_database_and_schema_are_there(client: Client) -> None:
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_without_database_is_a_problem_that_says_when_to_come_back(client: Client) -> None:
    with mock.patch.object(connection, "cursor", side_effect=OperationalError("gone")):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == "5"
    assert response.json()["detail"] == "The database does not answer."


@pytest.mark.django_db
def test_readyz_with_a_migration_missing_says_how_many(client: Client) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    health._require_schema.cache_clear()
    MigrationRecorder.Migration.objects.filter(app="governance").delete()

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "migrations are not applied" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_probes_change_nothing(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def test_probe_by_address_is_answered_whatever_hosts_are_allowed(client: Client) -> None:
    with override_settings(ALLOWED_HOSTS=["cutline.example.com"], SECURE_SSL_REDIRECT=True):
        probe, page = (client.get(path, headers={"Host": "10.0.0.7:8000"}) for path in ("/healthz", "/login/"))

    assert (probe.status_code, page.status_code) == (200, 400)


def test_request_id_of_the_caller_is_kept_when_it_is_one_word() -> None:
    request = RequestFactory().get("/", headers={"X-Request-ID": "crm-42.a_b"})

    response = RequestIdMiddleware(answer)(request)

    assert response["X-Request-ID"] == "crm-42.a_b"


@pytest.mark.parametrize("given", ["", "two words", "a" * 65, 'x","admin":"yes', "naïve"])
def test_request_id_that_could_mislead_a_log_is_replaced(given: str) -> None:
    request = RequestFactory().get("/", headers={"X-Request-ID": given})

    response = RequestIdMiddleware(answer)(request)

    assert response["X-Request-ID"] != given
    assert len(response["X-Request-ID"]) == 32
    assert request.META["HTTP_X_REQUEST_ID"] == response["X-Request-ID"]


def policy(path: str) -> dict[str, str]:
    request = RequestFactory().get(path)
    response = ContentSecurityPolicyMiddleware(answer).process_response(request, answer(request))
    found = [directive.partition(" ") for directive in response.headers["Content-Security-Policy"].split("; ")]
    return {name: sources for name, _space, sources in found}


def test_content_policy_of_pages_allows_no_inline_and_no_eval() -> None:
    directives = policy("/accounts/")

    assert "unsafe" not in " ".join(directives.values())
    assert directives == {
        "default-src": "'self'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }


def test_content_policy_is_relaxed_under_the_admin_only() -> None:
    assert policy("/admin/frameworks/user/")["script-src"] == "'self' 'unsafe-eval'"
    assert policy("/admin/frameworks/user/")["style-src"] == "'self' 'unsafe-inline'"
    assert policy("/administration/")["script-src"] == "'self'"


@override_settings(SECURE_SSL_REDIRECT=True)
def test_api_over_plain_http_is_refused_and_not_redirected() -> None:
    middleware = SecureApiMiddleware(answer)

    refused = middleware(RequestFactory().get("/api/v1/accounts"))

    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"
    assert json.loads(refused.content)["title"] == "HTTPS is required"
    assert middleware(RequestFactory().get("/api/v1/accounts", secure=True)).status_code == 200
    assert middleware(RequestFactory().get("/accounts/")).status_code == 200


@pytest.fixture
def person(db: None, client: Client) -> Any:
    user = get_user_model().objects.create_user(email="ada@example.com", password="correct horse battery")
    client.force_login(user)
    return user


def test_session_older_than_its_limit_ends_although_it_was_used(client: Client, person: Any) -> None:
    # The clock stands still but for the two ticks: a slow machine changes nothing.
    began = datetime(2026, 11, 21, 12, tzinfo=UTC)
    with time_machine.travel(began, tick=False) as clock:
        client.get("/account/password/change/")
        assert client.session["began_at"] == began.timestamp()
        for _ in range(settings.SESSION_ABSOLUTE_AGE // settings.SESSION_COOKIE_AGE * 2):
            clock.shift(settings.SESSION_COOKIE_AGE // 2)
            assert client.get("/account/password/change/").status_code == 200
        assert client.session["began_at"] == began.timestamp()
        clock.shift(1)

        response = client.get("/account/password/change/")

    assert response.status_code == 302
    assert response["Location"].startswith("/login/")
    assert "_auth_user_id" not in client.session


def test_session_in_use_is_written_rarely_and_extended(
    client: Client, person: Any, django_assert_num_queries: Any
) -> None:
    client.get("/account/password/change/")
    session = client.session
    seen = session["seen_at"]
    client.get("/account/password/change/")
    assert client.session["seen_at"] == seen

    session["seen_at"] = seen - 3600
    session.save()
    client.get("/account/password/change/")

    assert client.session["seen_at"] >= seen
    assert client.session.get_expiry_age() == settings.SESSION_COOKIE_AGE == 12 * 3600


def test_page_without_a_session_asks_the_database_nothing_about_one(
    client: Client, db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        client.get("/healthz")


@pytest.mark.parametrize("password", ["seven77", "password1", "cutline", "Cutline2026", "acmecutline1", "12345678"])
@override_settings(COMPANY_NAME="Acme Corp")
def test_password_that_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password)


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "🦊🐙🦉🐝🦔🐬🦜🐢", "x7Gm2pQ9" * 25, "my cutline of the harbour"]
)
@override_settings(COMPANY_NAME="Acme Corp")
def test_password_that_is_long_enough_may_be_anything(password: str) -> None:
    validate_password(password)


def test_signing_up_is_closed(client: Client, db: None) -> None:
    response = client.post("/account/signup/", {"email": "eve@example.com", "password1": "correct horse battery"})

    assert response.status_code in (200, 302, 403)
    assert not get_user_model().objects.filter(email="eve@example.com").exists()


def test_link_of_a_password_reset_has_the_sites_own_host(client: Client, person: Any, settings: Any) -> None:
    """A08: the host of the request may be anybody's words."""
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://cutline.example", ["*"]

    client.post("/account/password/reset/", {"email": person.email}, headers={"host": "evil.example"})

    (message,) = mail.outbox
    assert "https://cutline.example/account/password/reset/key/" in message.body
    assert "evil.example" not in f"{message.subject} {message.body}"


def test_login_never_follows_a_foreign_address(client: Client, person: Any) -> None:
    client.logout()

    response = client.post(
        "/login/?next=//evil.example",
        {"login": "ada@example.com", "password": "correct horse battery", "next": "//evil.example"},
    )

    assert response.status_code == 302
    assert response["Location"] == "/"


def test_cache_without_redis_misses_and_soon_stops_asking() -> None:
    cache = ForgivingRedisCache("redis://127.0.0.1:1/0", {"OPTIONS": {"socket_connect_timeout": 0.2}})
    ForgivingRedisCache._paused_until = 0.0
    try:
        cache.set("a", 1)
        began = time.monotonic()
        results = [cache.get("a", "otherwise"), cache.add("a", 1), cache.delete("a"), cache.get_many(["a"])]

        assert results == ["otherwise", True, False, {}]
        assert cache.incr("a") == 1
        assert time.monotonic() - began < 0.1
    finally:
        ForgivingRedisCache._paused_until = 0.0


def test_cache_with_redis_keeps() -> None:
    from django.core.cache import cache

    cache.set("tests.kept", {"a": 1})

    assert cache.get("tests.kept") == {"a": 1}
    assert cache.add("tests.kept", 2) is False
    assert cache.delete("tests.kept") is True


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("accounts.evaluate_pending", "interactive"),
        ("accounts.work_run", "bulk"),
        ("accounts.apply_import", "bulk"),
        ("accounts.sweep", "maintenance"),
        ("accounts.nightly_run", "maintenance"),
        ("governance.deliver_webhook", "webhooks"),
        ("governance.verify_audit", "maintenance"),
    ],
)
def test_task_goes_to_its_queue(task: str, queue: str) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_tick_goes_to_the_queue_it_asks_after() -> None:
    schedule = settings.CELERY_BEAT_SCHEDULE
    ticks = {name: entry for name, entry in schedule.items() if entry["task"] == "governance.tick"}

    routed = {
        entry["args"][0]: app.amqp.router.route(dict(entry["options"]), entry["task"])["queue"]
        for entry in ticks.values()
    }

    assert {queue: getattr(found, "name", found) for queue, found in routed.items()} == {
        queue: queue for queue in settings.QUEUES
    }


def test_scheduled_tasks_exist() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)


def test_web_process_reads_templates_before_it_answers_and_keeps_them_out_of_garbage_collection() -> None:
    thresholds, engine = gc.get_threshold(), cast(DjangoTemplates, engines["django"]).engine
    loader = cast(Loader, engine.template_loaders[0])
    try:
        warm_up()

        assert "frameworks/version_detail.html" in loader.get_template_cache
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


# Logs


def secret_addresses() -> list[str]:
    """An address for each pattern by which somebody who is not logged in is let in, found in the table of addresses."""
    made = {
        "invited": reverse("governance:invited", args=["s3cret-word_"]),
        "password": reverse("account_reset_password_from_key", args=["4", "d1x-s3cret-word_"]),
        "e-mail": reverse("account_confirm_email", args=["s3cret:word-_"]),
    }
    return [*made.values(), *(f"/login/?next={quote(each, safe='')}" for each in made.values())]


@pytest.mark.parametrize("address", secret_addresses())
def test_no_line_of_a_log_holds_what_lets_somebody_in(address: str) -> None:
    line = hide_secrets(None, "", json.dumps({"event": f"Conflict: {address}", "request": f"GET {address}?x=1"}))

    assert "s3cret" not in line
    assert json.loads(line)["event"].rstrip("/").removesuffix("%2F").endswith("…")


def test_other_addresses_are_logged_as_they_are() -> None:
    line = json.dumps({"event": "GET /accounts/?q=invited&page=2", "next": "/invitations/"})

    assert hide_secrets(None, "", line) == line


@pytest.mark.parametrize("name", ["django", "django.request", "django.server", "gunicorn.error", "gunicorn.access"])
def test_every_logger_writes_through_the_one_that_hides_secrets(name: str) -> None:
    logger: logging.Logger | None = logging.getLogger(name)
    while logger and logger is not logging.getLogger():
        assert (logger.handlers, logger.propagate) == ([], True)
        logger = logger.parent
