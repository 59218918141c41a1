"""The templates carry a waiver for whatever the checks find in them: each can be signed once it is confirmed."""

from datetime import UTC, datetime

import pytest

from accounts.checking.report import compute
from frameworks.checks.findings import with_waivers
from frameworks.checks.static import static_findings
from frameworks.definition import Definition
from frameworks.exchange.templates import DIRECTORY, load_template

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize("slug", sorted(path.stem for path in DIRECTORY.glob("*.yaml")))
@pytest.mark.parametrize("at", [AT, datetime(2028, 2, 29, 10, tzinfo=UTC)], ids=["today", "leap day"])
def test_template_has_no_open_finding_on_any_day(slug: str, at: datetime) -> None:
    definition = Definition({(kind, key): body for kind, key, body in load_template(slug).parts})

    computed = compute(definition, digest=f"template {slug}", as_of=at)

    findings = with_waivers([*static_findings(definition), *computed.findings], definition.waivers)
    assert [(each.code, each.subject, each.items) for each in findings if each.is_open] == []
    assert {each.waiver_key for each in findings} == set(definition.waivers)
