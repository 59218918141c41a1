"""Every template from its first draft to assignments: agreed, in force, and every segment within reach."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from accounts.models import Assignment
from accounts.services.runs import plan_study, release_run
from frameworks.checks.slot import engine_checks
from frameworks.definition import Definition
from frameworks.exchange.templates import load_template
from frameworks.gates import findings_of
from frameworks.models import Signoff
from frameworks.services.drafting import assumed_parts, confirm_parts, create_framework
from frameworks.services.review import submit_version
from governance.services.activation import request_activation
from tests.accounts.activating import AT, account, sign_everything, work_off
from tests.frameworks.making import person, waive_warnings

pytestmark = pytest.mark.django_db

Row = dict[str, Any]


def ago(days: int) -> str:
    return str(AT.date() - timedelta(days=days))


def signals(*kinds: str, **details: str) -> Row:
    return {"signals": [{"kind": kind, "occurred_on": ago(10), "details": details} for kind in kinds]}


def customer(since: int, end: int, **values: Any) -> Row:
    return {"stage": "customer", "customer_since_on": ago(since), "contract_end_on": ago(-end), **values}


NO_EXPANSION = {"attributes": {"expansion_opportunity": "false"}}
TIERS = ("strategic", "enterprise", "mid_market", "smb")
BY_SIZE: dict[str, Row] = {
    f"customer_tier/{tier}": {"employee_count": n} for tier, n in zip(TIERS, (5000, 1000, 200, 0), strict=True)
}
BY_VALUE: dict[str, Row] = {
    f"customer_tier/{tier}": {"arr": arr, "employee_count": 1}
    for tier, arr in zip(TIERS, ("500000", "100000", "25000", "24999.99"), strict=True)
}
BY_INDUSTRY: dict[str, Row] = {
    f"industry/{segment}": {"industry": name, "industry_key": name.casefold()}
    for segment, name in {
        "financial_services": "Financials",
        "healthcare": "Health Care",
        "technology_and_services": "Technology",
        "consumer": "Retailing",
        "industrial": "Energy",
    }.items()
}
BY_ENGAGEMENT: dict[str, Row] = {
    "engagement/high": {"last_activity_on": ago(3), "health_score": 70, "weekly_active_share": "40"},
    "engagement/medium": {"last_activity_on": ago(3), "health_score": 69, "weekly_active_share": "40"},
    "engagement/low": {"last_activity_on": ago(3), "health_score": 39, "weekly_active_share": "40"},
    "engagement/dormant": {"last_activity_on": ago(91)},
}
BY_LIFECYCLE: dict[str, Row] = {
    "lifecycle/onboarding": customer(89, 300),
    "lifecycle/renewal": customer(200, 120),
    "lifecycle/growth": customer(366, 300),
    "lifecycle/adoption": customer(200, 300, **NO_EXPANSION),
    "lifecycle/churned": {"stage": "churned"},
}
FIVE = ("leadership_change", "funding", "technology_change")
ENDS = ["2026-09-30", "2026-06-30", "2026-03-31", "2025-12-31", "2025-09-30"]
SERIES = {
    "employee_count": {"fiscal_quarter": dict(zip(ENDS, ["130", "120", "110", "105", "100"], strict=True))},
    "annual_revenue": {"fiscal_quarter": dict(zip(ENDS, ["1020", "1015", "1010", "1005", "1000"], strict=True))},
}
IDEAL = {"industry": "Technology", "industry_key": "technology", "employee_count": 100}
ELSEWHERE = {"industry": "Energy", "industry_key": "energy"}

# By template, an account for each segment.
SAMPLES: dict[str, dict[str, Row]] = {
    "firmographic_only": {**BY_SIZE, **BY_INDUSTRY},
    "firmographic_value": {**BY_VALUE, **BY_INDUSTRY, **BY_ENGAGEMENT, **BY_LIFECYCLE},
    "full_multi_dimensional": {
        **BY_VALUE,
        **BY_INDUSTRY,
        **BY_ENGAGEMENT,
        **BY_LIFECYCLE,
        "company_size/large": {"employee_count": 10, "parent": {"employee_count": 5000}},
        "company_size/medium": {"employee_count": 200},
        "company_size/small": {"employee_count": 199},
    },
    "lifecycle": {**BY_LIFECYCLE, **BY_ENGAGEMENT},
    "needs_based_signals": {
        "need/alternatives": signals("evaluation"),
        "need/new_strategy": signals("leadership_change", role="CRO"),
        "need/process": signals("hiring", role="sales_ops"),
        "need/efficiency": {"series": SERIES},
        "need/steady": {},
        "readiness/ready": signals(*FIVE),
        "readiness/warming": signals(*FIVE[:2]),
        "readiness/quiet": signals("hiring", "hiring"),
    },
    "hypothesis_driven": {
        "fit/ideal": IDEAL,
        "fit/promising": {**IDEAL, "employee_count": 5000},
        "fit/outside": {**ELSEWHERE, "employee_count": 5000},
        "value_band/proven": {"arr": "10000"},
        "value_band/open": {},
    },
}


@pytest.mark.parametrize("slug", SAMPLES)
def test_every_segment_of_a_template_can_be_reached(slug):
    bodies = {(kind, key): body for kind, key, body in load_template(slug).parts}
    definition = Definition(bodies)
    wanted = list(SAMPLES[slug])

    outcomes = evaluate_rows(plan=compile_definition(definition), rows=list(SAMPLES[slug].values()), as_of=AT)

    assert set(wanted) == {key for kind, key in bodies if kind == "segment"}
    reached = [outcome[key.partition("/")[0]].segment for key, outcome in zip(wanted, outcomes, strict=True)]
    assert dict(zip(wanted, reached, strict=True)) == {key: key.partition("/")[2] for key in wanted}


@pytest.mark.parametrize("slug", SAMPLES)
def test_template_comes_into_force_and_places_accounts(slug):
    for number, industry in enumerate(("Technology", "Health Care", "Energy", "Retailing", "Financials")):
        account(f"Account {number}", industry=industry, employee_count=[40, 150, 700, 3000, 9000][number])
    author = person("ravi", "revops")
    signers = [
        person("priya", "stakeholder", "executive"),
        person("nadia", "stakeholder", "finance"),
        person("otto", "revops"),
        person("carol", "cs_ops"),
    ]
    version = create_framework(name="Template", slug="main", template=slug, actor=author, at=AT)
    evidence = "Agreed in the kickoff meeting."
    waive_warnings(version, author)
    confirm_parts(version=version, parts=assumed_parts(version), evidence=evidence, actor=author, at=AT)

    submit_version(version=version, actor=author, at=AT)
    study = work_off(plan_study(version=version, actor=None, at=AT))
    for signer in signers:
        sign_everything(version, signer)
    version.refresh_from_db()
    run = work_off(request_activation(version=version, actor=author, at=AT))

    if run.state == "held":  # five accounts make some templates look one-sided
        assert not Assignment.objects.exists()
        colleague = person("tomas", "revops")
        run = work_off(release_run(run=run, reason="A handful of accounts to try it.", actor=colleague, at=AT))

    version.framework.refresh_from_db()
    signed = Signoff.objects.get(version=version, code="executive")
    assert (study.state, signed.impact_digest) == ("studied", version.impacts.order_by("pk")[0].digest)
    assert (run.state, version.framework.active_version) == ("applied", version)
    assert Assignment.objects.count() == 5 * len(load_template(slug).of_kind("dimension"))


@pytest.mark.parametrize("slug", SAMPLES)
def test_template_comes_with_an_answer_to_every_finding_of_its_rules(slug):
    version = create_framework(name="Template", slug="main", template=slug, actor=person("ravi", "revops"), at=AT)
    checks = engine_checks()
    assert checks

    left = [each for each in findings_of(version, checks.ensure(version, AT)) if each.is_open]

    # Without accounts nothing is too small or too large; what nobody has confirmed is theirs to confirm.
    assert {finding.code for finding in left} <= {"assumed"}
