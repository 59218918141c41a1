"""Each check over parts alone: found where it is, silent where it is not."""

from collections.abc import Callable
from typing import Any

import pytest

from frameworks.checks.findings import Finding, as_json, from_json, with_waivers
from frameworks.checks.static import assumed_finding, static_findings
from frameworks.definition import Definition
from frameworks.parts import PartError, parse_part
from frameworks.parts.waiver import Waiver, waiver_key
from tests.frameworks.checks_bodies import Bodies, clean

Edit = Callable[[Bodies], Any]


def found(bodies: Bodies) -> list[tuple[str, str, str]]:
    return [(each.code, each.severity, each.subject) for each in static_findings(Definition(bodies))]


def test_clean_framework_has_no_finding() -> None:
    assert found(clean()) == []


def no_action(bodies: Bodies) -> None:
    bodies["playbook", "tier/low"].pop("actions")


def no_rule(bodies: Bodies) -> None:
    bodies["segment", "tier/low"]["rules"] = []


def no_source(bodies: Bodies) -> None:
    bodies["data_source", "arr"].pop("system")


def undefined_quoted(bodies: Bodies) -> None:
    bodies["term", "account"]["wording"] = "A “Company Record” in the CRM."


def undefined_acronym(bodies: Bodies) -> None:
    bodies["term", "account"]["wording"] = "A company with NRR."


def term_of_nothing(bodies: Bodies) -> None:
    used = {"attributes": ["arr"], "dimensions": ["tier"], "segments": ["tier/low", "tier/gone"]}
    bodies["term", "account"]["used_by"] = used


def no_anti_icp(bodies: Bodies) -> None:
    bodies["segment", "tier/low"].pop("anti_icp")


def same_name(bodies: Bodies) -> None:
    bodies["segment", "tier/low"]["label"] = bodies["segment", "tier/high"]["label"].upper() + " "


def same_treatment(bodies: Bodies) -> None:
    bodies["playbook", "tier/low"]["actions"] = [
        {**bodies["playbook", "tier/high"]["actions"][0], "key": "under_another_key"}
    ]


def same_facet(bodies: Bodies) -> None:
    bodies["playbook", "tier/low"]["training"] = bodies["playbook", "tier/high"]["training"]


def limits(bodies: Bodies, **most: int) -> None:
    plain = {"max_dimensions": 5, "max_segments_per_dimension": 5, "max_segments_in_all": 20}
    sizes = {"warn_segment_accounts": 30, "min_segment_accounts": 20, "min_populated": "0.8"}
    bodies["policy", "limits"] = {"policy": "limits", **plain, **sizes, **most}


def too_many_dimensions(bodies: Bodies) -> None:
    limits(bodies, max_dimensions=0)


def too_many_segments(bodies: Bodies) -> None:
    limits(bodies, max_segments_per_dimension=1)


def micro_segments(bodies: Bodies) -> None:
    limits(bodies, max_segments_in_all=1)


def ambiguous_note(bodies: Bodies) -> None:
    bodies["segment", "tier/low"]["rules"][0]["note"] = "arr < 5 or arr > 7 and arr < 9"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (no_action, ("no_action", "error", "tier/low")),
        (no_rule, ("unreachable", "error", "tier/low")),
        (no_source, ("no_source", "error", "arr")),
        (undefined_quoted, ("undefined_term", "error", "account")),
        (undefined_acronym, ("undefined_term", "error", "account")),
        (term_of_nothing, ("term_of_nothing", "warning", "account")),
        (no_anti_icp, ("no_anti_icp", "warning", "tier")),
        (same_name, ("same_name", "error", "tier")),
        (same_treatment, ("same_treatment", "warning", "tier")),
        (same_facet, ("same_facet", "warning", "tier")),
        (ambiguous_note, ("scope_ambiguous", "warning", "tier/low")),
        (too_many_dimensions, ("too_many_dimensions", "warning", "")),
        (too_many_segments, ("too_many_segments", "warning", "tier")),
        (micro_segments, ("too_many_segments", "warning", "")),
    ],
)
def test_each_check_finds_exactly_what_was_put_in(edit: Edit, expected: tuple[str, str, str]) -> None:
    bodies = clean()

    edit(bodies)

    assert found(bodies) == [expected]


def test_assumed_names_the_first_parts_and_counts_the_rest() -> None:
    assert list(assumed_finding([])) == []
    (finding,) = assumed_finding([f"term {n}" for n in range(7)])
    assert finding.text == "7 parts are still ASSUMED: term 0, term 1, term 2, term 3, term 4 and 2 more."


def test_waiver_covers_while_it_names_every_item_and_never_an_error() -> None:
    warning = Finding("gap", "warning", "A gap.", "dimension", "tier", ("a", "b"))
    error = Finding("gap", "error", "A gap.", "dimension", "tier", ("a",))
    waiver = Waiver(code="gap", subject="tier", items=["a", "b", "c"], reason="Nobody is ever in there.")
    narrow = Waiver(code="gap", subject="tier", items=["a"], reason="Nobody is ever in there.")

    assert not with_waivers([warning], {"gap__tier": waiver})[0].is_open
    assert with_waivers([warning], {"gap__tier": narrow})[0].is_open
    assert with_waivers([warning], {"gap__other": waiver})[0].is_open
    assert with_waivers([error], {"gap__tier": waiver})[0].is_open


def test_waiver_needs_its_own_key_and_a_reason() -> None:
    body = {"code": "gap", "subject": "tier", "reason": "Nobody is ever in there."}

    assert parse_part("waiver", "gap__tier", body) is not None
    for key, changed in (("gap__other", body), ("gap__tier", {**body, "reason": "ok"})):
        with pytest.raises(PartError):
            parse_part("waiver", key, changed)


def test_waiver_key_is_never_longer_than_a_key_may_be() -> None:
    long = "d" * 63 + "/" + "s" * 63

    assert len(waiver_key("small_segment", long)) <= 63
    assert waiver_key("small_segment", long) != waiver_key("small_segment", long[:-1])


def test_finding_is_read_as_it_was_written() -> None:
    finding = Finding("gap", "warning", "A gap.", "dimension", "tier", ("a",))

    assert from_json(as_json(finding)) == finding
