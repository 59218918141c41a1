"""Merging, splitting and retiring segments of a draft: the services, the page, the gates and the words of the diff."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frameworks.definition import bodies_of, definition_of
from frameworks.dimension_edit import EditRefusedError, read_edit
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.exchange.reading import read_contents, read_file
from frameworks.exchange.writing import write_framework
from frameworks.gates import content_problems
from frameworks.mapping import successions, successions_of
from frameworks.models import AccountList, FrameworkVersion
from frameworks.parts import PartError, level_digests, parse_part, to_body
from frameworks.parts.diff import diff_parts
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.editing import save_dimension
from frameworks.services.retiring import Leaving, restore_segment, retire_segments
from frameworks.services.rollback import draft_rollback
from governance.models import AuditEntry
from tests.frameworks.making import AT, Company, playbook, segment, sent
from tests.frameworks.pages import text, url

WHY = "One motion serves both."


@pytest.fixture(scope="module")
def regional_world(world: None) -> None:
    company = Company()
    company.save("segment", "tier/east", segment("Enterprise East", ("ge", "arr", "500000")))
    company.save("segment", "tier/west", segment("Enterprise West", ("ge", "arr", "100000")))
    company.save("dimension", "tier", {"label": "Customer Tier", "segments": ["east", "west", "smb"]})
    for kind in ("segment", "playbook"):
        company.version.parts.filter(kind=kind, key="tier/enterprise").delete()
    company.save("playbook", "tier/east", playbook("Hold a planning call"))
    company.save("playbook", "tier/west", playbook("Write a success plan"))
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    start_draft(framework=company.version.framework, actor=company.ravi, at=AT)


@pytest.fixture
def regional(regional_world: None, db: None) -> Company:
    """East and west enterprises and SMB in force, and the draft after it."""
    return Company.again()


def retire(company: Company, leaving: Leaving, *, name: str = "ravi", digest: str | None = None) -> None:
    retire_segments(
        version=company.version,
        dimension="tier",
        leaving=leaving,
        digest=company.part("dimension", "tier").body_id if digest is None else digest,
        actor=company.people[name],
        at=AT,
        source="page",
    )


def merge(company: Company, **changes: Any) -> None:
    given: dict[str, Any] = {"segments": ["east", "west"], "into": [], "reason": WHY, "new_label": "Enterprise"}
    retire(company, Leaving(**(given | changes)))


def keys(company: Company, kind: str) -> set[str]:
    return set(company.version.parts.filter(kind=kind).values_list("key", flat=True))


def changes(company: Company) -> list[str]:
    base = company.version.base_version
    assert base is not None
    return [change.text for change in diff_parts(bodies_of(base), bodies_of(company.version))]


# --- the record


ENTRY = {"segment": "old", "into": ["smb"], "reason": WHY}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{**ENTRY, "segment": "smb"}], "so it is not retired"),
        ([{**ENTRY, "into": ["nowhere"]}], "cannot take the place of old"),
        ([{**ENTRY, "into": []}], "at least one"),
        ([{**ENTRY, "reason": " "}], "must not be empty"),
        ([ENTRY, ENTRY], "occurs twice"),
        ([{**ENTRY, "overrides": "enterprise"}], "go to one of its successors"),
        ([{**ENTRY, "into": ["older"]}, {**ENTRY, "segment": "older", "into": ["old"]}], "circle"),
    ],
)
def test_record_that_leads_nowhere_is_refused(entries: list[dict[str, Any]], message: str) -> None:
    body = {"label": "Tier", "segments": ["enterprise", "smb"], "retired": entries}

    with pytest.raises(PartError, match=message):
        parse_part("dimension", "tier", body)


def test_dimension_without_a_record_keeps_its_digests() -> None:
    body = {"label": "Tier", "segments": ["smb"]}

    assert "retired" not in to_body(parse_part("dimension", "tier", {**body, "retired": []}))
    assert level_digests("dimension", body) == level_digests("dimension", {**body, "retired": []})


def test_mapping_is_semantic() -> None:
    body = {"label": "Tier", "segments": ["smb"]}

    assert (
        level_digests("dimension", body)["semantic"]
        != level_digests("dimension", {**body, "retired": [ENTRY]})["semantic"]
    )


# --- merge, split, retire


def test_merge_makes_the_successor_of_their_rules_and_says_so_in_the_diff(regional: Company) -> None:
    merge(regional)

    body = regional.body("dimension", "tier")
    assert body["segments"] == ["enterprise", "smb"]
    assert [entry["segment"] for entry in body["retired"]] == ["east", "west"]
    rules = regional.body("segment", "tier/enterprise")["rules"]
    assert len({rule["key"] for rule in rules}) == len(rules) == 2
    assert keys(regional, "segment") == keys(regional, "playbook") == {"tier/enterprise", "tier/smb"}
    assert regional.body("playbook", "tier/enterprise")["actions"][0]["title"] == "Hold a planning call"
    assert any("Enterprise East and Enterprise West merged into Enterprise" in change for change in changes(regional))


def test_merge_is_one_governed_act_with_its_reason(regional: Company) -> None:
    before = AuditEntry.objects.count()

    merge(regional)

    (entry,) = AuditEntry.objects.order_by("seq")[before:]
    assert (entry.action, entry.reason) == ("segments.retired", WHY)


@pytest.mark.parametrize(
    ("leaving", "words"),
    [
        (Leaving(["east"], ["west"], WHY), "Enterprise East retired into Enterprise West, its rules go along (“"),
        (
            Leaving(["east"], ["west"], WHY, rules_go_along=False),
            "Enterprise East retired into Enterprise West, its rules do not go along (“",
        ),
        (
            Leaving(["east", "west"], ["smb"], WHY),
            "Enterprise East and Enterprise West merged into SMB, their rules go along (“",
        ),
        (Leaving(["east"], [], WHY, new_label="Key"), "Enterprise East became Key"),
        (
            Leaving(["east"], ["west", "smb"], WHY),
            "split into Enterprise West and SMB, overrides to be reconfirmed, its rules do not go along (“",
        ),
        (
            Leaving(["east"], ["west", "smb"], WHY, overrides="west"),
            "split into Enterprise West and SMB, overrides carried to Enterprise West",
        ),
    ],
)
def test_diff_tells_what_became_of_a_segment(regional: Company, leaving: Leaving, words: str) -> None:
    retire(regional, leaving)

    assert any(words in change for change in changes(regional))


@pytest.mark.parametrize("goes_along", [True, False])
def test_successor_that_is_there_takes_their_rules_where_that_is_said(regional: Company, *, goes_along: bool) -> None:
    own, theirs = (regional.body("segment", f"tier/{short}")["rules"] for short in ("west", "east"))

    retire(regional, Leaving(["east"], ["west"], WHY, rules_go_along=goes_along))

    (entry,) = regional.body("dimension", "tier")["retired"]
    rules = regional.body("segment", "tier/west")["rules"]
    added = [{**rule, "key": f"east_{rule['key']}"} for rule in theirs]
    assert (entry.get("rules"), rules) == (("taken_over", [*own, *added]) if goes_along else (None, own))


def test_rules_of_a_split_stay_behind(regional: Company) -> None:
    before = [regional.body("segment", f"tier/{short}")["rules"] for short in ("west", "smb")]

    retire(regional, Leaving(["east"], ["west", "smb"], WHY))

    assert [regional.body("segment", f"tier/{short}")["rules"] for short in ("west", "smb")] == before


def test_successor_with_a_playbook_keeps_its_own(regional: Company) -> None:
    retire(regional, Leaving(["east"], ["west"], WHY))

    assert regional.body("playbook", "tier/west")["actions"][0]["title"] == "Write a success plan"


def test_anti_icp_lists_go_to_a_successor_that_has_none(regional: Company) -> None:
    AccountList.objects.create(key="poor_fit", label="Poor fit")
    regional.save("segment", "tier/east", {**regional.body("segment", "tier/east"), "anti_icp": ["poor_fit"]})

    retire(regional, Leaving(["east"], ["west"], WHY))

    assert regional.body("segment", "tier/west")["anti_icp"] == ["poor_fit"]


def test_what_is_nested_in_a_retired_segment_is_nested_in_its_successor(regional: Company) -> None:
    regional.save("segment", "tier/key", {**segment("Key", ("ge", "arr", "900000")), "parent": "east"})
    body = regional.body("dimension", "tier")
    regional.save("dimension", "tier", {**body, "segments": ["key", *body["segments"]]})

    merge(regional)

    assert regional.body("segment", "tier/key")["parent"] == "enterprise"


def test_fallback_follows_a_single_successor(regional: Company) -> None:
    regional.save("dimension", "tier", {**regional.body("dimension", "tier"), "fallback": "east"})

    merge(regional)

    assert regional.body("dimension", "tier")["fallback"] == "enterprise"


def test_segment_comes_back_with_its_playbook_at_its_place(regional: Company) -> None:
    before = {kind: keys(regional, kind) for kind in ("segment", "playbook")}
    retire(regional, Leaving(["west"], ["smb"], WHY))

    restore_segment(
        version=regional.version,
        dimension="tier",
        segment="west",
        digest=regional.part("dimension", "tier").body_id,
        actor=regional.ravi,
        at=AT,
        source="page",
    )

    assert regional.body("dimension", "tier")["segments"] == ["east", "west", "smb"]
    assert {kind: keys(regional, kind) for kind in before} == before
    assert changes(regional) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"segments": []}, "which segments leave"),
        ({"new_label": ""}, "where they go"),
        ({"reason": "  "}, "Say why"),
        ({"into": ["east"]}, "its own place"),
        ({"segments": ["nobody"]}, "neither in this draft"),
        ({"into": ["nobody"]}, "is a segment of this draft"),
        ({"new_label": "SMB"}, "There is or was a segment smb"),
        ({"overrides": "smb"}, "Overrides go to one of the successors"),
    ],
)
def test_incomplete_mapping_is_refused_and_changes_nothing(
    regional: Company, changed: dict[str, Any], message: str
) -> None:
    before = bodies_of(regional.version)

    with pytest.raises(InvalidError, match=message):
        merge(regional, **changed)

    assert bodies_of(regional.version) == before


def test_other_people_and_stale_pages_change_nothing(regional: Company) -> None:
    before = bodies_of(regional.version)

    with pytest.raises(NotAllowedError):
        retire(regional, Leaving(["east"], ["west"], WHY), name="leah")
    with pytest.raises(ConflictError, match="Somebody changed this dimension"):
        retire(regional, Leaving(["east"], ["west"], WHY), digest="0" * 64)

    assert bodies_of(regional.version) == before


def test_frozen_version_takes_no_mapping(regional: Company) -> None:
    base = regional.version.base_version
    assert base is not None
    regional.version = base

    with pytest.raises(ConflictError, match="frozen"):
        merge(regional)


# --- gates


def take_out(company: Company, short: str) -> None:
    """By hand, without a word about where it goes."""
    body = company.body("dimension", "tier")
    company.save("dimension", "tier", {**body, "segments": [each for each in body["segments"] if each != short]})
    company.version.parts.filter(kind__in=("segment", "playbook"), key=f"tier/{short}").delete()


def test_segment_of_the_base_that_is_gone_without_a_mapping_keeps_a_version_from_review(regional: Company) -> None:
    take_out(regional, "east")

    (problem,) = [each for each in content_problems(regional.version) if "nobody said where it goes" in each]

    assert problem == (
        "Customer Tier / Enterprise East is gone, and nobody said where it goes: it has a playbook."
        " Merge, split or retire it."
    )


def test_segment_that_is_gone_already_can_still_be_mapped(regional: Company) -> None:
    take_out(regional, "east")

    retire(regional, Leaving(["east"], ["west"], WHY))

    assert not [each for each in content_problems(regional.version) if "nobody said" in each]


def test_mapping_of_a_segment_that_never_was_keeps_a_version_from_review(regional: Company) -> None:
    body = regional.body("dimension", "tier")
    regional.save("dimension", "tier", {**body, "retired": [{**ENTRY, "segment": "north"}]})

    problems = content_problems(regional.version)

    assert "Customer Tier says where north went, but the version before has no such segment." in problems


def test_record_stays_in_the_version_after_without_a_new_signature(regional: Company) -> None:
    merge(regional)
    regional.submit()
    regional.sign_all()
    flip_active_version(version=regional.version, actor=regional.priya, at=AT)

    regional.version = start_draft(framework=regional.version.framework, actor=regional.ravi, at=AT)

    assert changes(regional) == []
    assert not [each for each in content_problems(regional.version) if "went" in each]


def test_editor_refuses_a_removal_only_where_nothing_is_said(regional: Company) -> None:
    gone = regional.part("segment", "tier/east")
    said = sent(regional)
    said["segments"] = [each for each in said["segments"] if each["key"] != "east"]
    said["removed"] = [{"kind": "segment", "key": "tier/east", "digest": gone.body_id}]
    said["dimension"]["body"]["retired"] = [{**ENTRY, "segment": "east", "into": ["west"]}]

    save_dimension(version=regional.version, edit=read_edit("tier", said), actor=regional.ravi, at=AT, source="page")

    assert "tier/east" not in keys(regional, "segment")


def test_rule_that_asks_for_a_segment_keeps_it_from_leaving(regional: Company) -> None:
    root = {"id": "n1", "op": "segment", "dimension": "tier", "any_of": ["east"]}
    rule = {"key": "r", "basis": "value", "criteria": {"schema": "criteria/1", "root": root}}
    regional.save("dimension", "care", {"label": "Care", "segments": ["high"]})
    regional.save("segment", "care/high", {"label": "High", "dimension": "care", "rules": [rule]})

    with pytest.raises(EditRefusedError, match="a rule of Care / High asks for it"):
        merge(regional)

    assert "tier/east" in keys(regional, "segment")


# --- going back, and files


def back_to_regions(company: Company) -> FrameworkVersion:
    first = company.version.base_version
    assert first is not None
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    first.refresh_from_db()
    return draft_rollback(version=first, reason="It did not work.", actor=company.ravi, at=AT)


def test_rollback_reads_the_mapping_the_other_way_round(regional: Company) -> None:
    merge(regional)

    rollback = back_to_regions(regional)

    known = successions_of(rollback, definition_of(rollback))["tier"]
    assert (known["enterprise"].into, known["enterprise"].only, known["enterprise"].is_return) == (
        ("east", "west"),
        None,
        True,
    )
    assert not [each for each in content_problems(rollback) if "nobody said" in each]


def test_rollback_of_a_renaming_knows_the_one_place(regional: Company) -> None:
    retire(regional, Leaving(["east"], [], WHY, new_label="Key"))

    rollback = back_to_regions(regional)

    assert successions_of(rollback, definition_of(rollback))["tier"]["key"].only == "east"


def test_mapping_survives_a_file(regional: Company) -> None:
    merge(regional, overrides="reconfirm")
    definition = definition_of(regional.version)

    written = write_framework(slug="main", exported="today", bodies=bodies_of(regional.version))
    contents = read_contents(read_file(written), {})

    (read,) = [each for each in contents if (each.kind, each.key) == ("dimension", "tier")]
    assert read.body["retired"] == regional.body("dimension", "tier")["retired"]
    assert successions(definition)["tier"]["east"].carries_to is None


# --- the page


def test_page_shows_what_hangs_and_writes_the_mapping(regional: Company, login: Any) -> None:
    page = login(regional.ravi)
    address = url(regional, "segments_retire", key="tier")

    shown = page.get(address, {"segment": "east"})
    answer = page.post(
        address,
        {
            "digest": regional.part("dimension", "tier").body_id,
            "segment": ["east", "west"],
            "new_label": "Enterprise",
            "takes_over": "on",
            "reason": WHY,
        },
    )

    assert "it has a playbook" in text(shown)
    assert answer.status_code == 302
    assert regional.body("dimension", "tier")["segments"] == ["enterprise", "smb"]
    assert "Enterprise East Enterprise Enterprise" in text(page.get(address))


def test_page_says_before_saving_how_many_accounts_no_rule_would_take(regional: Company, login: Any) -> None:
    address = url(regional, "segments_retire_forecast", key="tier")
    before = bodies_of(regional.version)

    nobody = login(regional.ravi).get(address, {"segment": "east", "into": "west", "rules_go_along": "on"})
    wrong = login(regional.ravi).get(address, {"segment": "east", "into": "east"})
    empty = login(regional.ravi).get(address)
    other = login(regional.leah).get(address, {"segment": "east", "into": "west"})

    assert [answer.status_code for answer in (nobody, wrong, empty, other)] == [200, 200, 200, 403]
    assert "There are no accounts yet" in text(nobody)
    assert "A segment cannot take its own place." in text(wrong)
    assert "is counted here" in text(empty)
    assert bodies_of(regional.version) == before


def test_page_asks_the_same_for_two_segments_and_for_eight(regional: Company, login: Any) -> None:
    page, counts = login(regional.ravi), []
    for names in ((), ("a", "b", "c", "d", "e")):
        for name in names:
            regional.save("segment", f"tier/{name}", segment(name.title(), ("ge", "arr", "7")))
        body = regional.body("dimension", "tier")
        regional.save("dimension", "tier", {**body, "segments": ["east", "west", *names, "smb"]})
        page.get(url(regional, "segments_retire", key="tier"))
        with CaptureQueriesContext(connection) as queries:
            page.get(url(regional, "segments_retire", key="tier"))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_expectation_of_a_segment_that_left_keeps_a_version_from_review(regional: Company) -> None:
    guard = {
        "policy": "guard",
        **dict.fromkeys(("max_share_moved", "max_segment_change", "max_unassigned"), "0.2"),
        "max_dominance": "0.8",
        "warn_dominance": "0.7",
        "expectations": {"tier/east": "0.9"},
    }
    regional.save("policy", "guard", guard)
    assert not any("expects a share" in each for each in content_problems(regional.version))

    merge(regional)

    (problem,) = [each for each in content_problems(regional.version) if "expects a share" in each]
    gone, went = "Customer Tier / East", "Customer Tier / Enterprise"
    assert f"{gone}, which is no segment of this version. It went into {went}." in problem
    regional.save("policy", "guard", {**guard, "expectations": {"tier/enterprise": "0.9"}})
    assert not any("expects a share" in each for each in content_problems(regional.version))


def test_page_keeps_what_was_typed_when_it_is_refused(regional: Company, login: Any) -> None:
    address = url(regional, "segments_retire", key="tier")
    digest = regional.part("dimension", "tier").body_id

    answer = login(regional.ravi).post(address, {"digest": digest, "segment": ["east"], "reason": "Kept words."})

    assert answer.status_code == 422
    assert "Say where they go." in text(answer)
    assert "Kept words." in text(answer)
    assert "tier/east" in keys(regional, "segment")


@pytest.mark.parametrize("name", ["segments_retire", "segment_restore"])
def test_reader_is_refused_by_the_page(regional: Company, login: Any, name: str) -> None:
    merge(regional)
    digest, before = regional.part("dimension", "tier").body_id, bodies_of(regional.version)
    page = login(regional.leah)

    shown = page.get(url(regional, "segments_retire", key="tier"))
    answer = page.post(
        url(regional, name, key="tier"), {"digest": digest, "segment": ["east"], "into": ["smb"], "reason": WHY}
    )

    assert (shown.status_code, answer.status_code) == (200, 403)
    assert "Where do they go?" not in text(shown)
    assert bodies_of(regional.version) == before


def test_page_brings_a_segment_back(regional: Company, login: Any) -> None:
    retire(regional, Leaving(["west"], ["smb"], WHY))
    digest = regional.part("dimension", "tier").body_id

    answer = login(regional.ravi).post(
        url(regional, "segment_restore", key="tier"), {"digest": digest, "segment": "west"}
    )

    assert answer.status_code == 302
    assert "west" in regional.body("dimension", "tier")["segments"]


def test_dimensions_tab_leads_to_the_page(regional: Company, login: Any) -> None:
    shown = login(regional.ravi).get(url(regional, "version_dimensions"))

    assert url(regional, "segments_retire", key="tier") in shown.content.decode()
