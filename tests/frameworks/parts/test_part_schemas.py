"""What a body may hold, and how a wrong one is refused."""

import copy
import json
from typing import Any

import pytest

from frameworks.parts import KINDS, SCHEMAS, PartError, json_schema, level_digests, parse_body, parse_part, to_body
from frameworks.parts.base import MATERIALITY
from frameworks.parts.data_source import derived_problems
from frameworks.parts.policy import POLICIES, SignoffPolicy
from frameworks.parts.segment import Segment, attributes_used
from tests.frameworks.parts.bodies import BODIES


@pytest.mark.parametrize(("kind", "key"), BODIES)
def test_body_parsed_and_written_stays_the_same(kind, key):
    schema = parse_part(kind, key, BODIES[kind, key])

    written = to_body(schema)

    assert json.loads(json.dumps(written)) == written
    assert parse_body(kind, written) == schema
    assert to_body(parse_body(kind, written)) == written


def test_kinds_are_those_of_the_framework():
    assert set(KINDS) == {"meta", "policy", "dimension", "segment", "playbook", "term", "data_source", "waiver"}
    assert {kind for kind, _ in BODIES} == set(KINDS)


def test_quantities_are_written_as_text_and_counts_as_integers():
    written = to_body(parse_body("playbook", BODIES["playbook", "customer_tier/enterprise"]))

    assert written["coverage"] == {"accounts_per_csm": 27, "cost_per_account": "12000"}
    assert written["compensation"]["base_share"] == "0.5"


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), *POLICIES.values()])
def test_every_field_of_a_body_has_a_materiality(schema):
    if schema is SCHEMAS["policy"]:
        return

    levels = {name: (field.json_schema_extra or {}).get(MATERIALITY) for name, field in schema.model_fields.items()}

    assert set(levels.values()) <= {"cosmetic", "operational", "semantic"}


@pytest.mark.parametrize("kind", KINDS)
def test_json_schema_is_published_with_materiality(kind):
    published = json.dumps(json_schema(kind))

    assert f'"{MATERIALITY}"' in published
    assert '"additionalProperties": false' in published


def derived(data_type, **fields):
    scale = {"scale": 2} if data_type == "decimal" else {}
    return {"label": "x", "data_type": data_type, **scale, "derived": fields}


REFUSED = [
    ("term", {"wording": "x"}, "/label", "missing"),
    ("term", {"label": "x", "wording": "y", "colour": "red"}, "/colour", "extra_forbidden"),
    ("term", {"label": "x", "wording": "  "}, "/wording", "string_too_short"),
    ("term", {"label": 5, "wording": "y"}, "/label", "string_type"),
    ("term", {"label": "x", "wording": "a\x00b"}, "/wording", "unprintable"),
    ("term", {"label": "x", "wording": "half \ud800"}, "/wording", "unprintable"),
    ("term", {"label": "x", "wording": "y" * 20_001}, "/wording", "too_long"),
    ("term", {"label": "x", "wording": "y", "variants": [{"department": "s", "wording": "y"}]}, "", "variant"),
    ("term", {"label": "x", "wording": "y", 5: "z"}, "", "key_not_text"),
    ("term", ["label"], "", "not_an_object"),
    ("verse", {}, "", "kind"),
    ("meta", {"name": "n", "company": "c", "time_zone": "Mars/Olympus"}, "/time_zone", "time_zone"),
    ("meta", {"name": "n", "company": "c", "fiscal_year_start_month": True}, "/fiscal_year_start_month", "int_type"),
    (
        "meta",
        {"name": "n", "company": "c", "fiscal_year_start_month": 13},
        "/fiscal_year_start_month",
        "less_than_equal",
    ),
    ("meta", {"name": "n", "company": "c", "fiscal_year_start_month": 2**60}, "/fiscal_year_start_month", "too_large"),
    ("meta", {"name": "n", "company": "c", "currency": "usd"}, "/currency", "pattern"),
    ("policy", {}, "/policy", "policy"),
    ("policy", {"policy": "nothing"}, "/policy", "policy"),
    ("policy", {"policy": "signoff", "requirements": []}, "/requirements", "too_short"),
    ("dimension", {"label": "x", "segments": ["a"], "hit_policy": "first"}, "/hit_policy", "hit_policy"),
    ("dimension", {"label": "x", "segments": ["a"], "downgrade": "never"}, "/downgrade", "move_policy"),
    ("dimension", {"label": "x", "segments": ["a"], "max_step": 0}, "/max_step", "greater_than_equal"),
    ("dimension", {"label": "x", "segments": ["a"], "basis_of": "stored"}, "/basis_of", "literal_error"),
    ("dimension", {"label": "x", "segments": ["a", "a"]}, "/segments", "repeated"),
    ("dimension", {"label": "x", "segments": ["A"]}, "/segments/0", "pattern"),
    ("dimension", {"label": "x", "segments": ["a"], "fallback": "b"}, "", "fallback"),
    ("data_source", {"label": "x", "data_type": "money", "currency": "USD"}, "", "type_detail"),
    ("data_source", {"label": "x", "data_type": "text", "scale": 2}, "", "type_detail"),
    ("data_source", {"label": "x", "data_type": "choice"}, "", "type_detail"),
    ("data_source", {"label": "x", "data_type": "regex"}, "/data_type", "literal_error"),
    ("data_source", derived("integer", kind="ratio", of=["a", "b"]), "", "derived"),
    ("data_source", derived("decimal", kind="age_days", of=["a"]), "", "derived"),
    ("data_source", derived("decimal", kind="ratio", of=["a"]), "/derived", "derived"),
    ("data_source", derived("decimal", kind="growth", of=["a"]), "/derived", "derived"),
    ("data_source", derived("decimal", kind="ratio", of=["a", "b"], grain="month", periods=1), "/derived", "derived"),
    (
        "data_source",
        derived("decimal", kind="growth", of=["a"], grain="month", periods=13),
        "/derived/periods",
        "less_than_equal",
    ),
    ("data_source", {**derived("decimal", kind="ratio", of=["a", "b"]), "freshness_days": 5}, "", "derived"),
    ("meta", {"name": "n", "company": "c", "exchange_rates": {"EUR": "0"}}, "/exchange_rates/EUR", "rate"),
    ("meta", {"name": "n", "company": "c", "exchange_rates": {"EUR": "1,08"}}, "/exchange_rates/EUR", "decimal"),
    ("meta", {"name": "n", "company": "c", "exchange_rates": {"USD": "1"}}, "", "own_currency"),
]


@pytest.mark.parametrize(("kind", "body", "pointer", "code"), REFUSED)
def test_body_that_is_wrong_is_refused_with_its_place(kind, body, pointer, code):
    with pytest.raises(PartError) as refusal:
        parse_body(kind, body)

    assert (pointer, code) in [(issue.pointer, issue.code) for issue in refusal.value.issues]
    assert all(issue.message for issue in refusal.value.issues)


@pytest.mark.parametrize(
    "wrong", ["0,2", "1e3", "NaN", "Infinity", "20 %", "1.5", "-0.1", 0.2, True, None, [], "9" * 30]
)
def test_share_not_plain_is_refused(wrong):
    body = {**BODIES["policy", "guard"], "max_unassigned": wrong}

    with pytest.raises(PartError) as refusal:
        parse_body("policy", body)

    assert [issue.pointer for issue in refusal.value.issues] == ["/max_unassigned"]


def test_every_mistake_is_named_at_once():
    with pytest.raises(PartError) as refusal:
        parse_body("meta", {"name": "", "time_zone": "x", "extra": 1})

    places = [issue.pointer for issue in refusal.value.issues]
    assert places == ["/name", "/company", "/time_zone", "/extra"]


def test_body_nested_without_end_is_refused_without_recursing():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(PartError) as refusal:
        parse_body("term", {"label": "x", "wording": deep})

    assert [issue.code for issue in refusal.value.issues] == ["too_deep"]


def test_names_equal_after_composition_are_refused():
    with pytest.raises(PartError) as refusal:
        parse_body("policy", {**BODIES["policy", "overrides"], "caf\u00e9": 1, "cafe\u0301": 2})

    assert [issue.code for issue in refusal.value.issues] == ["repeated_name"]


@pytest.mark.parametrize(
    ("kind", "key", "wrong_key"),
    [
        ("meta", "meta", "about"),
        ("policy", "guard", "signoff"),
        ("dimension", "customer_tier", "Customer Tier"),
        ("segment", "customer_tier/enterprise", "industry/enterprise"),
        ("segment", "customer_tier/enterprise", "enterprise"),
        ("playbook", "customer_tier/enterprise", "enterprise"),
        ("term", "arr", "arr/arr"),
        ("data_source", "arr", ""),
    ],
)
def test_key_that_does_not_fit_its_body_is_refused(kind, key, wrong_key):
    with pytest.raises(PartError) as refusal:
        parse_part(kind, wrong_key, BODIES[kind, key])

    assert [issue.code for issue in refusal.value.issues] == ["key"]


@pytest.mark.parametrize("pool", [{}, {"role": "finance", "people": ["a@example.com"]}, {"people": ["nobody"]}])
def test_requirement_without_a_clear_pool_is_refused(pool):
    body = copy.deepcopy(BODIES["policy", "signoff"])
    body["requirements"][0]["pool"] = pool

    with pytest.raises(PartError) as refusal:
        parse_body("policy", body)

    assert all(issue.pointer.startswith("/requirements/0/pool") for issue in refusal.value.issues)


def test_requirement_covers_its_kinds_and_keys():
    body = copy.deepcopy(BODIES["policy", "signoff"])
    body["requirements"].append({**body["requirements"][0], "code": "money", "keys": ["arr"]})

    policy = parse_body("policy", body)

    assert isinstance(policy, SignoffPolicy)
    every_term, only_arr = policy.requirements
    assert every_term.covers("term", "account")
    assert not every_term.covers("segment", "customer_tier/smb")
    assert only_arr.covers("term", "arr")
    assert not only_arr.covers("term", "account")


def test_recurring_action_needs_its_interval():
    body = copy.deepcopy(BODIES["playbook", "customer_tier/enterprise"])
    del body["actions"][1]["every_days"]

    with pytest.raises(PartError) as refusal:
        parse_body("playbook", body)

    assert [issue.pointer for issue in refusal.value.issues] == ["/actions/1"]


def test_attributes_used_are_those_of_every_leaf():
    segment = parse_body("segment", BODIES["segment", "customer_tier/enterprise"])

    assert isinstance(segment, Segment)
    assert attributes_used(segment) == {"employee_count", "arr"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("meta", {"name": "n", "company": "c", "exchange_rates": {"EUR": "1.08", "JPY": "0.0067"}}),
        ("data_source", derived("decimal", kind="growth", of=["arr"], grain="fiscal_quarter", periods=4)),
        ("data_source", {"label": "Tech", "data_type": "tags"}),
        ("data_source", {"label": "Regions", "data_type": "tags", "choices": [{"id": "emea", "label": "EMEA"}]}),
    ],
)
def test_body_is_written_as_it_was_given(kind, body):
    written = to_body(parse_body(kind, body))

    assert {name: written[name] for name in body} == body
    assert len(level_digests(kind, written)) == 3


SOURCES = {
    key: parse_body("data_source", body)
    for key, body in {
        "arr": {"label": "ARR", "data_type": "money", "scale": 2, "currency": "USD"},
        "cost": {"label": "Cost", "data_type": "money", "scale": 2, "currency": "EUR"},
        "seats": {"label": "Seats", "data_type": "integer"},
        "signed_on": {"label": "Signed on", "data_type": "date"},
        "each": derived("decimal", kind="ratio", of=["arr", "seats"]),
    }.items()
}


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (derived("decimal", kind="ratio", of=["arr", "seats"]), []),
        (derived("integer", kind="age_days", of=["signed_on"]), []),
        (
            derived("decimal", kind="ratio", of=["made", "nobody"]),
            [
                "/derived/of/0: An attribute cannot be derived from itself.",
                "/derived/of/1: There is no data source 'nobody'.",
            ],
        ),
        (
            derived("decimal", kind="ratio", of=["each", "signed_on"]),
            [
                "/derived/of/0: x is itself derived: name the stored attributes it comes from.",
                "/derived/of/1: ratio needs a number; Signed on is date.",
            ],
        ),
        (
            derived("integer", kind="difference", of=["seats", "arr"]),
            ["/derived/of/1: A difference has the type and currency of both its attributes; ARR has another."],
        ),
        (
            derived("integer", kind="age_days", of=["seats"]),
            ["/derived/of/0: age_days needs a date; Seats is integer."],
        ),
    ],
)
def test_attribute_is_derived_from_stored_ones_that_fit(body, problems):
    made: Any = parse_body("data_source", body)
    sources: Any = SOURCES

    assert list(derived_problems("made", made, sources)) == problems
