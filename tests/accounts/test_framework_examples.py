"""docs/examples: every file is taken as it stands, has an answer to every finding, and decides what its header says."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from accounts.evaluation.hypothetical import evaluate_rows
from accounts.evaluation.stages import compile_definition
from frameworks.checks.slot import engine_checks
from frameworks.definition import Definition
from frameworks.gates import findings_of
from frameworks.models import AccountList
from frameworks.services.exchange import apply_file, plan_file
from tests.accounts.activating import AT
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
MISSING = None

# Employees, then ARR, potential ARR or ACV as the file has them, and the tier.
CELLS: dict[str, list[tuple[dict[str, Any], str | None]]] = {
    "tiers-a": [
        ({"employee_count": 150, "arr": "60000"}, "mid_market"),
        ({"employee_count": 200, "arr": "0"}, "mid_market"),
        ({"employee_count": 1000}, "enterprise"),
        ({"employee_count": 5000, "arr": "0"}, "strategic"),
        ({"employee_count": 0, "arr": "0"}, "smb"),
        ({"employee_count": 10, "arr": "25000"}, "mid_market"),
        ({"employee_count": 10, "arr": "100000"}, "enterprise"),
        ({"employee_count": 10, "arr": "500000"}, "strategic"),
        ({"employee_count": 300, "lists": ["fortune_2000"]}, "strategic"),
        ({"employee_count": 300, "arr": "30000", "lists": ["fortune_2000"]}, "mid_market"),
    ],
    "tiers-b": [
        ({"employee_count": 150, "arr": "600000", "attributes": {"potential_arr": "0"}}, "enterprise"),
        ({"employee_count": 600, "arr": "10000", "attributes": {"potential_arr": "0"}}, "enterprise"),
        ({"employee_count": 2000, "arr": "0", "attributes": {"potential_arr": "999999.99"}}, "enterprise"),
        ({"employee_count": 2000, "arr": "0", "attributes": {"potential_arr": "1000000"}}, "strategic"),
        ({"employee_count": 2000, "arr": "0"}, "enterprise"),
        ({"employee_count": 0, "arr": "0"}, "smb"),
        ({"employee_count": 100, "arr": "0"}, "mid_market"),
        ({"employee_count": 99, "arr": "25000"}, "mid_market"),
    ],
    "tiers-c": [
        ({"employee_count": 150, "attributes": {"acv": "60000"}}, "mid_market"),
        ({"employee_count": 12000, "attributes": {"acv": "5000"}}, "strategic"),
        ({"employee_count": 2000, "attributes": {"acv": "0"}}, "enterprise"),
        ({"employee_count": 10, "attributes": {"acv": "120000"}}, "enterprise"),
        ({"employee_count": 199, "attributes": {"acv": "24999.99"}}, "smb"),
        ({"employee_count": 150}, MISSING),
    ],
    "tiers-d": [
        ({"employee_count": 500, "arr": "500000"}, "enterprise"),
        ({"employee_count": 500, "arr": "499999.99"}, "mid_market"),
        ({"employee_count": 50, "arr": "50000"}, "mid_market"),
        ({"employee_count": 50, "arr": "49999.99"}, "smb"),
        ({"employee_count": 1000, "arr": "0"}, "enterprise"),
        ({"employee_count": 0, "arr": "0"}, "smb"),
    ],
}


@pytest.fixture(autouse=True)
def fortune(db: None) -> None:
    """The list that tiers-a names."""
    AccountList.objects.create(key="fortune_2000", label="Fortune 2000")


def test_every_example_is_tried():
    assert sorted(path.stem for path in EXAMPLES.glob("*.yaml")) == sorted(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_example_decides_what_its_header_says(name):
    plan = compile_definition(Definition(plan_file((EXAMPLES / f"{name}.yaml").read_text()).bodies))

    outcomes = evaluate_rows(plan=plan, rows=[row for row, _ in CELLS[name]], as_of=AT)

    assert [outcome["customer_tier"].segment for outcome in outcomes] == [tier for _, tier in CELLS[name]]


@pytest.mark.parametrize("name", CELLS)
def test_plan_accepts_an_example(name):
    out = StringIO()

    with pytest.raises(SystemExit) as end:
        call_command("framework", "plan", str(EXAMPLES / f"{name}.yaml"), stdout=out)

    assert end.value.code == 2
    assert f"There is no framework {name} yet: the file would start it." in out.getvalue()
    assert "error" not in out.getvalue()


@pytest.mark.parametrize("name", CELLS)
def test_example_comes_with_an_answer_to_every_finding_of_its_rules(name):
    text = (EXAMPLES / f"{name}.yaml").read_text()
    version, _ = apply_file(text=text, actor=person("ravi", "revops"), at=AT, source="import")
    checks = engine_checks()
    assert checks

    left = [each for each in findings_of(version, checks.ensure(version, AT)) if each.is_open]

    assert [(each.code, each.text) for each in left if each.code != "assumed"] == []
