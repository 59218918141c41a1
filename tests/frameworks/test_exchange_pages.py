"""Downloading a version as YAML and uploading an edited file, in the browser."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from frameworks.models import FrameworkVersion
from frameworks.services.exchange import export_version
from tests.frameworks.making import Company

UPLOAD = "/frameworks/main/upload/"


@pytest.fixture
def page(client: Client, company: Company) -> Client:
    client.force_login(company.ravi)
    return client


def sent(text: str | bytes) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("x.yaml", text.encode() if isinstance(text, str) else text)}


def test_version_is_downloaded_as_the_file_that_the_command_writes(page, company):
    answer = page.get(reverse("frameworks:version_file", args=["main", 0]))

    assert answer.content.decode() == export_version(company.version)
    assert answer["Content-Disposition"] == 'attachment; filename="main-v0.yaml"'


def test_edited_file_becomes_a_draft(page, company):
    text = export_version(company.version).replace("arr >= 100000", "arr >= 150000")

    answer = page.post(UPLOAD, sent(text))

    assert (answer.status_code, answer["Location"]) == (302, "/frameworks/main/v1/")
    assert page.post(UPLOAD, sent(text))["Location"] == "/frameworks/main/v1/"
    assert FrameworkVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parts: [", "Line"),
        (b"\xff", "not UTF-8"),
        ("format: cutline-framework/1\nframework: other\nparts: {}", "This is a file of other, not main"),
    ],
)
def test_wrong_file_is_refused_in_words(page, text, said):
    answer = page.post(UPLOAD, sent(text))

    assert (answer.status_code, said in answer.content.decode()) == (422, True)
    assert FrameworkVersion.objects.count() == 1


def test_upload_without_a_file_or_permission_changes_nothing(page, company, client):
    assert page.post(UPLOAD).status_code == 422
    client.force_login(company.leah)

    assert client.post(UPLOAD, sent(export_version(company.version))).status_code == 403
    assert client.get(UPLOAD).status_code == 405
    assert "Upload YAML as draft" not in client.get("/frameworks/main/").content.decode()
    assert FrameworkVersion.objects.count() == 1


def test_chooser_describes_every_template(page):
    shown = page.get("/frameworks/new/").content.decode()

    assert shown.count('name="template"') == 7
    assert "Needs:" in shown
    assert "Need: Looking at alternatives, New strategy, Needs process, Needs efficiency, No sign of a need" in shown
