"""PDFs on their way: who asks, who works, what is kept, for how long, and what the page says meanwhile."""

import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from celery.exceptions import SoftTimeLimitExceeded
from django.test import Client
from django.urls import reverse

from governance.documents import PRINTABLES, pdf
from governance.models import Heartbeat, PreparedDocument
from governance.services import documents
from governance.services.documents import KEEP, LEASE, look_after_documents, prepare_document, work_document
from tests.frameworks.making import AT
from tests.governance.documents_cases import assign, in_force, pages_of, prepared

State = PreparedDocument.State
HASTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(AT, tick=False) as traveller:
        yield traveller


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return in_force(people.ravi)


@pytest.fixture
def reader(client: Client, people: SimpleNamespace) -> Client:
    client.force_login(people.leah)
    return client


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> list[int]:
    """The ids a worker was rung for."""
    heard: list[int] = []
    monkeypatch.setattr(documents, "ring", lambda task, pk: heard.append(pk))
    return heard


def address(slug: str = "faq", name: str = "document_pdf", *more: Any) -> str:
    return reverse(f"governance:{name}", args=["main", 1, slug, *more])


def ask(model: SimpleNamespace, slug: str = "faq", at: datetime = AT) -> PreparedDocument:
    return prepare_document(printable=PRINTABLES[slug], version=model.version, at=at)


def done(row: PreparedDocument) -> PreparedDocument:
    work_document(document_id=row.pk)
    row.refresh_from_db()
    return row


def test_the_file_is_called_after_framework_version_and_document(reader: Client, model: SimpleNamespace) -> None:
    answer = prepared(reader, address())

    assert answer["Content-Disposition"] == 'attachment; filename="main-v1-faq.pdf"'
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Cache-Control"] == "private, no-store"
    assert len(pages_of(answer.content)) == PreparedDocument.objects.get().pages


def test_the_page_says_where_it_stands_until_the_file_is_there(
    reader: Client, model: SimpleNamespace, clock: Any
) -> None:
    Heartbeat.objects.create(queue="maintenance", sent_at=AT, consumed_at=AT, worker="w")
    page = reader.get(address())["Location"]
    clock.shift(3)

    queued = reader.get(page).content.decode()
    row = PreparedDocument.objects.get()
    PreparedDocument.objects.update(state=State.WORKING, started_at=AT + timedelta(seconds=1))
    working = reader.get(page).content.decode()
    still = reader.get(f"{page}progress/?state=working")
    PreparedDocument.objects.update(state=State.QUEUED)
    done(row)
    moved = reader.get(f"{page}progress/?state=working")
    ready = reader.get(page).content.decode()

    assert "It has waited 3 s." in queued
    assert "No worker" not in queued
    assert f'<a href="{page}">look again</a>' in queued
    assert "laying out its pages for 2 s." in working
    assert "laying out its pages for 2 s." in still.content.decode()
    assert moved["HX-Refresh"] == "true"
    assert f'href="{page}file/"' in ready
    assert "look again" not in ready
    assert "hx-get" not in ready


@pytest.mark.parametrize("ago", [None, timedelta(minutes=5)])
def test_without_a_worker_the_page_says_so(reader: Client, model: SimpleNamespace, ago: timedelta | None) -> None:
    if ago:
        Heartbeat.objects.create(queue="maintenance", sent_at=AT, consumed_at=AT - ago, worker="w")

    text = reader.get(address(), follow=True).content.decode()

    assert f"No worker has given a sign of life {'for 5 min' if ago else 'yet'}" in text
    assert "manage.py doctor" in text


@pytest.mark.parametrize("slug", PRINTABLES)
def test_the_same_content_comes_at_once_and_is_laid_out_once(reader: Client, model: SimpleNamespace, slug: str) -> None:
    first = done(ask(model, slug))

    again = ask(model, slug, AT + HASTE)
    answer = reader.get(address(slug))

    assert (again.pk, again.state, again.asked_at) == (first.pk, State.READY, AT)
    assert answer.content == first.content
    assert PreparedDocument.objects.count() == 1


def test_whatever_changed_is_another_file(reader: Client, model: SimpleNamespace) -> None:
    report = done(ask(model, "segment-distribution-report"))

    assign(model, "Account 7", model.smb)
    changed = ask(model, "segment-distribution-report")
    answer = reader.get(address("segment-distribution-report"))

    assert changed.pk != report.pk
    assert changed.state == State.QUEUED
    assert answer["Location"] == address("segment-distribution-report", "prepared_document", changed.uuid)


def test_another_style_is_another_file(model: SimpleNamespace, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(model)
    style = tmp_path / "print.css"
    style.write_text("p { color: red }")
    monkeypatch.setattr(pdf, "STYLES", style)
    assert ask(model).pk != first.pk


def test_a_file_is_not_handed_out_after_its_hour(model: SimpleNamespace) -> None:
    first = done(ask(model))

    later = ask(model, at=AT + KEEP)

    assert (later.pk, later.state, later.asked_at) == (first.pk, State.QUEUED, AT + KEEP)
    assert later.content is None


def test_asking_rings_once_and_again_only_for_what_failed(
    model: SimpleNamespace, rung: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        row = ask(model)
        ask(model)
    assert rung == [row.pk]

    PreparedDocument.objects.update(state=State.FAILED, failure="No.", texts=[], attempts=2)
    with django_capture_on_commit_callbacks(execute=True):
        again = ask(model)

    assert rung == [row.pk, row.pk]
    assert (again.state, again.failure, again.attempts, len(again.texts)) == (State.QUEUED, "", 0, 1)


def test_one_worker_at_a_time_and_a_dead_one_is_followed(model: SimpleNamespace, rung: list[int]) -> None:
    row = ask(model)
    PreparedDocument.objects.update(state=State.WORKING, attempts=1, lease=row.uuid, leased_until=AT + LEASE)

    assert done(row).state == State.WORKING
    look_after_documents(AT + LEASE - HASTE)
    assert rung == []

    look_after_documents(AT + LEASE)
    assert rung == [row.pk]
    with time_machine.travel(AT + LEASE, tick=False):
        assert done(row).state == State.READY
    assert row.attempts == 2


def test_after_three_workers_died_the_person_is_told(reader: Client, model: SimpleNamespace) -> None:
    row = ask(model)
    PreparedDocument.objects.update(state=State.WORKING, attempts=3, leased_until=AT)

    done(row)
    text = reader.get(address("faq", "prepared_document", row.uuid)).content.decode()

    assert (row.state, row.content) == (State.FAILED, None)
    assert "It stopped three times without an answer." in text
    assert f'href="{address()}"' in text


@pytest.mark.parametrize(
    ("error", "words"), [(SoftTimeLimitExceeded(), "four minutes"), (ValueError("?"), "in the worker&#x27;s log")]
)
def test_what_goes_wrong_is_said_on_the_page(
    reader: Client, model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fails(texts: list[str]) -> None:
        raise error

    monkeypatch.setattr(documents, "lay_out", fails)
    text = prepared(reader, address()).content.decode()
    assert words in text
    assert "Try again" in text


def test_a_worker_that_lost_its_lease_writes_nothing(model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ask(model)

    def taken_over(texts: list[str]) -> pdf.LaidOut:
        PreparedDocument.objects.update(lease=row.uuid)
        return pdf.LaidOut(b"late", 1)

    monkeypatch.setattr(documents, "lay_out", taken_over)
    done(row)

    assert (row.state, row.content, row.lease) == (State.WORKING, None, row.uuid)


def test_what_is_over_is_deleted_and_what_waits_is_rung_for(model: SimpleNamespace, rung: list[int]) -> None:
    old, new = done(ask(model, at=AT - KEEP)), ask(model, "exception-process")
    lost = ask(model, "data-source-map", AT - KEEP)

    look_after_documents(AT)

    assert list(PreparedDocument.objects.values_list("pk", flat=True)) == [new.pk]
    assert rung == [new.pk]
    assert {old.pk, lost.pk} & set(rung) == set()


def test_an_address_that_is_gone_leads_to_a_new_one(reader: Client, model: SimpleNamespace) -> None:
    row = ask(model)
    file = address("faq", "prepared_file", row.uuid)
    assert reader.get(file)["Location"] == address()  # not ready

    row.delete()

    assert reader.get(file)["Location"] == address()
    assert reader.get(address("faq", "prepared_document", row.uuid))["Location"] == address()
    assert reader.get(address("faq", "prepared_progress", row.uuid))["HX-Refresh"] == "true"


def test_nobody_reads_a_file_who_may_not_read_the_document(client: Client, model: SimpleNamespace) -> None:
    row = done(ask(model))
    names = ("prepared_document", "prepared_progress", "prepared_file")
    for name in names:
        answer = client.get(address("faq", name, row.uuid))
        assert answer.status_code == 302, name
        assert answer["Location"].startswith("/login/"), name

    client.force_login(model.version.author)
    for name in names:
        assert client.post(address("faq", name, row.uuid)).status_code == 405, name
        # Under another document's address there is no such file.
        assert b"%PDF" not in client.get(address("tech-spec", name, row.uuid)).content
    assert client.get(address("minutes", "prepared_file", row.uuid)).status_code == 404


def test_a_worker_without_pango_says_what_to_install(model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    row = done(ask(model))
    assert row.state == State.FAILED
    assert "libpango-1.0-0" in row.failure
