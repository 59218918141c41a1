"""Pages on which parts are edited: every kind by its form, errors at the field, conflicts field by field."""

import json
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from frameworks.models import Contribution, Kind
from frameworks.parts import json_schema
from tests.frameworks.making import Company, put_in_force
from tests.frameworks.pages import text, url

GUARD = {
    "policy": "guard",
    "max_share_moved": "0.2",
    "max_segment_change": "0.2",
    "max_unassigned": "0.25",
    "max_dominance": "0.8",
    "warn_dominance": "0.7",
}
FIGURES = {"max_share_moved": "20", "max_segment_change": "20", "max_unassigned": "25", "max_dominance": "80"}


def posted(response: Any) -> dict[str, str]:
    """The text fields of a form as a browser would post them."""
    html = response.content.decode().split("data-part-form")[1].split("<template>")[0]
    inputs = re.findall(r'name="([\w.]+)" value="([^"]*)"', html)
    areas = re.findall(r'<textarea[^>]*name="([\w.]+)"[^>]*>\n([^<]*)</textarea>', html)
    return {name: unescape(value) for name, value in [*inputs, *areas] if not name.startswith("_")}


@pytest.mark.parametrize(
    ("kind", "key"),
    [("meta", "meta"), ("policy", "signoff"), ("dimension", "tier"), ("segment", "tier/smb"),
     ("playbook", "tier/smb"), ("term", "arr"), ("data_source", "arr")],
)  # fmt: skip
def test_every_kind_has_a_form_and_a_text(company: Company, login: Any, kind: str, key: str) -> None:
    page = login(company.ravi)

    # Rules are edited with their dimension.
    edited = page.get(url(company, "part_edit", kind=kind, key=key), follow=True)
    assert (edited.status_code, len(edited.redirect_chain)) == (200, int(kind == "segment"))
    assert page.get(url(company, "part_edit", kind=kind, key=key), {"as": "text"}).status_code == 200
    assert page.get(url(company, "part_new", kind=kind)).status_code == 200


def test_term_is_edited_with_its_variants(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_edit", kind="term", key="arr")
    form = {"digest": company.part("term", "arr").body_id, "label": "ARR", "wording": "Line one.\r\nLine two."}
    variants = {"variants.4.department": "sales", "variants.4.wording": "Signed or not."}

    response = page.post(address, {**form, **variants, "used_by.attributes": ["arr"]})

    assert response.status_code == 302
    assert company.body("term", "arr") == {
        "label": "ARR",
        "wording": "Line one.\nLine two.",
        "variants": [{"department": "sales", "wording": "Signed or not."}],
        "used_by": {"attributes": ["arr"]},
    }
    said = Contribution.objects.latest("pk")
    assert (said.contributed_by, said.source, said.key) == (company.ravi, "page", "arr")


def test_saving_the_form_untouched_changes_nothing(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_edit", kind="term", key="arr")
    before = Contribution.objects.count()

    response = page.post(address, posted(page.get(address)), follow=True)

    assert "Nothing changed" in text(response)
    assert Contribution.objects.count() == before


def test_error_stands_at_its_field_and_nothing_typed_is_lost(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_new", kind="policy") + "?key=guard"

    response = page.post(address, {**FIGURES, "digest": "", "warn_dominance": "seventy"})

    html = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'value="seventy"[^>]*>.{0,400}Write a plain number', html, re.DOTALL)
    assert 'name="max_unassigned" value="25"' in html
    assert not company.version.parts.filter(key="guard").exists()


def test_each_policy_is_added_under_its_own_name(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_new", kind="policy")
    assert "guard" in text(page.get(address)).lower()

    response = page.post(f"{address}?key=guard", {**FIGURES, "digest": "", "warn_dominance": "70"})

    assert response.status_code == 302
    assert company.body("policy", "guard") == GUARD | {"impact_tolerance": "0.02"}
    assert "?key=guard" not in page.get(address).content.decode()


@pytest.mark.parametrize(
    ("tab", "kind"),
    [
        ("version_dimensions", "dimension"),
        ("version_data_sources", "data_source"),
        ("version_playbooks", "playbook"),
        *(("version_detail", kind) for kind in ("dimension", "term", "playbook", "policy", "data_source")),
    ],
)
def test_every_kind_of_part_can_be_added_where_it_is_looked_for(
    company: Company, login: Any, tab: str, kind: str
) -> None:
    company.version.parts.filter(kind="playbook", key="tier/smb").delete()
    link = f'href="{url(company, "part_new", kind=kind)}"'

    assert link in login(company.ravi).get(url(company, tab)).content.decode()
    assert link not in login(company.leah).get(url(company, tab)).content.decode()
    put_in_force(company.version)
    assert link not in login(company.ravi).get(url(company, tab)).content.decode()


def test_help_of_policies_is_whole_and_speaks_of_percent_as_the_form_does(company: Company, login: Any) -> None:
    said = text(login(company.ravi).get(url(company, "part_new", kind="policy")))

    assert "Guard policy" in said
    assert "What holds a run before it changes anything." in said
    assert "The ordered" not in said
    assert "from 0 to 1" not in said


def test_playbook_is_added_for_a_segment_without_one(company: Company, login: Any) -> None:
    page, address = login(company.ravi), url(company, "part_new", kind="playbook")
    assert "Every segment has a playbook" in text(page.get(address))
    digest = company.part("playbook", "tier/smb").body_id
    page.post(url(company, "part_delete", kind="playbook", key="tier/smb"), {"digest": digest})

    assert "SMB (tier/smb)" in text(page.get(address))
    response = page.post(address, {"digest": "", "key": "tier/smb", "summary": "Self-service."})

    assert response.status_code == 302
    assert company.body("playbook", "tier/smb") == {"summary": "Self-service."}


def test_new_part_under_a_taken_key_shows_both_texts(company: Company, login: Any) -> None:
    before = company.body("term", "arr")

    response = login(company.ravi).post(
        url(company, "part_new", kind="term"), {"digest": "", "key": "arr", "label": "ARR", "wording": "Mine."}
    )

    assert response.status_code == 409
    assert company.body("term", "arr") == before


def test_overtaken_edit_lets_the_person_choose_per_field(company: Company, login: Any) -> None:
    page, started = login(company.ravi), company.part("term", "arr").body_id
    company.save("term", "arr", {"label": "ARR", "wording": "Theirs.", "owner": "Finance"}, actor=company.tomas)
    mine = {"digest": started, "label": "ARR", "wording": "Mine.", "owner": "Sales"}

    conflict = page.post(url(company, "part_edit", kind="term", key="arr"), mine)

    said, html = text(conflict), conflict.content.decode()
    assert (conflict.status_code, "Theirs." in said, "Tomas" in said, "both changed it" in said) == (409, *[True] * 3)
    assert company.body("term", "arr")["wording"] == "Theirs."
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(digest|mine)" value="([^"]*)"', html)}
    choices = {"pick.wording": "theirs", "pick.owner": "mine"}
    assert page.post(url(company, "part_merge", kind="term", key="arr"), {**hidden, **choices}).status_code == 302
    assert company.body("term", "arr") == {"label": "ARR", "wording": "Theirs.", "owner": "Sales"}


def test_merge_that_was_overtaken_again_conflicts_again(company: Company, login: Any) -> None:
    page, started = login(company.ravi), company.part("term", "arr").body_id
    company.save("term", "arr", {"label": "ARR", "wording": "Third."}, actor=company.tomas)
    mine = json.dumps({"label": "ARR", "wording": "Mine."})

    response = page.post(
        url(company, "part_merge", kind="term", key="arr"), {"digest": started, "mine": mine, "pick.wording": "mine"}
    )

    assert response.status_code == 409
    assert company.body("term", "arr")["wording"] == "Third."


@pytest.mark.parametrize("mine", ["", "[]", "{"])
def test_merge_of_nothing_is_refused(company: Company, login: Any, mine: str) -> None:
    part = company.part("term", "arr")

    response = login(company.ravi).post(
        url(company, "part_merge", kind="term", key="arr"), {"digest": part.body_id, "mine": mine}
    )

    assert response.status_code == 422
    assert company.part("term", "arr") == part


def test_merge_by_somebody_who_may_not_edit_is_refused(company: Company, login: Any) -> None:
    part = company.part("term", "arr")
    form = {"digest": part.body_id, "mine": '{"label": "ARR", "wording": "Mine."}', "pick.wording": "mine"}

    assert login(company.leah).post(url(company, "part_merge", kind="term", key="arr"), form).status_code == 403
    assert company.part("term", "arr") == part


@pytest.mark.parametrize("kind", Kind.values)
def test_schema_of_every_kind_is_published(db: None, client: Client, kind: str) -> None:
    response = client.get(f"/schemas/parts/{kind}.json")

    found = response.json()
    assert found.pop("$id").endswith(f"/schemas/parts/{kind}.json")
    assert found == json_schema(kind)


def test_schema_of_no_kind_is_not_found(db: None, client: Client) -> None:
    assert client.get("/schemas/parts/nothing.json").status_code == 404
