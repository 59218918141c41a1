"""The documents: who reads them, what stands in them, and what the renderer refuses."""

from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from governance.documents import PRINTABLES
from governance.documents.pdf import RefusedAddressError, refuse
from tests.governance.makers import add_part, make_framework


@pytest.fixture
def drafted(people: SimpleNamespace) -> SimpleNamespace:
    model = make_framework(people.ravi)
    draft = model.framework.versions.create(number=2, author=people.ravi)
    add_part(draft, "term", "customer", {"label": "<script>alert(1)</script>", "wording": "Pays <b>us</b>."})
    return SimpleNamespace(model=model, draft=draft)


def address(name: str, slug: str, number: int) -> str:
    return reverse(f"governance:{name}", args=["customers", number, slug])


@pytest.mark.parametrize("slug", PRINTABLES)
def test_a_draft_is_marked_and_names_are_inert(
    client: Client, people: SimpleNamespace, drafted: SimpleNamespace, slug: str
) -> None:
    client.force_login(people.leah)
    text = client.get(address("document_page", slug, 2)).content.decode()
    assert "Not in force" in text
    assert "Not signed yet." in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text


@pytest.mark.parametrize("slug", PRINTABLES)
@pytest.mark.parametrize("number", [1, 2])
def test_each_document_is_a_pdf(
    client: Client, people: SimpleNamespace, drafted: SimpleNamespace, slug: str, number: int
) -> None:
    client.force_login(people.leah)
    answer = client.get(address("document_pdf", slug, number))
    assert answer.status_code == 200
    assert answer.content.startswith(b"%PDF-")
    assert answer["Content-Disposition"] == f'attachment; filename="customers-v{number}-{slug}.pdf"'


def test_an_empty_version_says_what_is_missing(client: Client, people: SimpleNamespace, model: SimpleNamespace) -> None:
    client.force_login(people.leah)
    for slug in PRINTABLES:
        text = client.get(address("document_page", slug, 1)).content.decode()
        assert "Missing: this version has no definitions." in text
        assert "Not in force" not in text


def test_strangers_are_sent_to_the_login(client: Client, model: SimpleNamespace) -> None:
    for url in (reverse("governance:document_index"), address("document_pdf", "segmentation-framework", 1)):
        assert client.get(url).status_code == 302


def test_the_index_lists_every_document(client: Client, people: SimpleNamespace, model: SimpleNamespace) -> None:
    client.force_login(people.leah)
    text = client.get(reverse("governance:document_index")).content.decode()
    assert all(each.title in text and each.audience in text for each in PRINTABLES.values())


@pytest.mark.parametrize("url", ["https://example.com/a.png", "file:///etc/passwd"])
def test_the_renderer_loads_nothing(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        refuse(url)
