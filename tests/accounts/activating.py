"""The template's framework brought into force over real accounts, with the services people use."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Account, AssignmentRun
from accounts.services import runs
from frameworks.criteria.text_keys import matching_key
from frameworks.models import Framework, FrameworkVersion, Part, User
from frameworks.services.drafting import (
    assumed_parts,
    confirm_parts,
    create_framework,
    delete_part,
    save_part,
    start_draft,
)
from frameworks.services.review import submit_version
from frameworks.services.signing import Answer, sign
from frameworks.standing import requirements_standing
from governance.services.activation import request_activation
from tests.frameworks.making import person, waive_warnings

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


def account(name: str, **values: Any) -> Account:
    """A customer with complete, unremarkable data, but for `values`."""
    plain: dict[str, Any] = {
        "industry": "Technology",
        "employee_count": 5_000,
        "arr": Decimal("60000.00"),
        "annual_revenue": Decimal("900000000.00"),
        "health_score": 75,
        "weekly_active_share": Decimal("55.00"),
        "last_activity_on": AT.date() - timedelta(days=3),
        "customer_since_on": AT.date() - timedelta(days=200),
        "contract_start_on": AT.date() - timedelta(days=200),
        "contract_end_on": AT.date() + timedelta(days=300),
        "attributes": {"expansion_opportunity": "false"},
    }
    values = plain | values
    for key in ("industry", "country", "state", "city"):
        values[f"{key}_key"] = matching_key(values.get(key))
    observed = ("annual_revenue", "arr", "employee_count", "health_score", "weekly_active_share")
    stamps = {f"{key}_observed_at": AT - timedelta(days=1) for key in observed}
    made = Account.objects.create(name=name, name_key=name.casefold(), **(stamps | values))
    # Written before the time of the tests: what is touched during an activation is evaluated once more.
    Account.objects.filter(pk=made.pk).update(updated_at=AT - timedelta(days=1))
    return made


def signed_version(framework_slug: str = "main") -> FrameworkVersion:
    """v0 of the template, confirmed, submitted and signed by everyone it asks."""
    author = person("ravi", "revops")
    stakeholders = [person(name, "stakeholder") for name in ("priya", "marcus", "nadia")]
    version = create_framework(
        name="Customer segmentation", slug=framework_slug, template="firmographic_value", actor=author, at=AT
    )
    evidence = "Agreed in the kickoff meeting."
    _ask_stakeholders_only(version)
    waive_warnings(version, author, AT)
    confirm_parts(version=version, parts=assumed_parts(version), evidence=evidence, actor=author, at=AT)
    submit_version(version=version, actor=author, at=AT)
    for stakeholder in stakeholders:
        sign_everything(version, stakeholder)
    version.refresh_from_db()
    return version


def _ask_stakeholders_only(version: FrameworkVersion) -> None:
    """A shorter sign-off policy than the template's: what runs do does not depend on who signed."""
    part = version.parts.select_related("body").get(kind="policy", key="signoff")
    lines = [line for line in part.body.body["requirements"] if line["code"] in ("terms", "version")]
    _save(version, part, {**part.body.body, "requirements": lines})


def next_version(
    framework: Framework,
    *,
    replacing: dict[str, str],
    without: tuple[str, ...] = (),
    retired: Mapping[str, list[dict[str, Any]]] | None = None,
) -> FrameworkVersion:
    """A signed version after the active one, with these texts replaced in its segments, such as one threshold, and
    without the segments named ("dimension/segment"); `retired` says by dimension where they go."""
    author = User.objects.get(email="ravi@x.example")
    version = start_draft(framework=framework, actor=author, at=AT)
    for part in version.parts.select_related("body").filter(kind__in=("segment", "dimension")):
        gone = [key.split("/")[1] for key in without if key.startswith(f"{part.key}/")]
        body = _replaced(part.body.body, replacing, gone)
        if retired and part.kind == "dimension" and part.key in retired:
            body["retired"] = [*body.get("retired", ()), *retired[part.key]]
        if body != part.body.body:
            _save(version, part, body)
    for part in version.parts.filter(kind__in=("segment", "playbook"), key__in=without):
        delete_part(
            version=version,
            kind=part.kind,
            key=part.key,
            expected_digest=part.body_id,
            actor=author,
            at=AT,
            source="page",
        )
    return sign_off(version)


def _replaced(body: dict[str, Any], replacing: dict[str, str], gone: list[str]) -> dict[str, Any]:
    text = json.dumps(body)
    for old, new in replacing.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    made: dict[str, Any] = json.loads(text)
    if "segments" in made:
        made["segments"] = [segment for segment in made["segments"] if segment not in gone]
    return made


def _save(version: FrameworkVersion, part: Part, body: dict[str, Any]) -> None:
    save_part(
        version=version,
        kind=part.kind,
        key=part.key,
        body=body,
        expected_digest=part.body_id,
        actor=version.author,
        at=AT,
        source="page",
    )


def sign_off(version: FrameworkVersion) -> FrameworkVersion:
    """A draft waived, confirmed, submitted and signed by every stakeholder."""
    author = version.author
    waive_warnings(version, author, AT)
    confirm_parts(version=version, parts=assumed_parts(version), evidence="Agreed in the council.", actor=author, at=AT)
    submit_version(version=version, actor=author, at=AT)
    for stakeholder in User.objects.filter(groups__name="stakeholder"):
        sign_everything(version, stakeholder)
    version.refresh_from_db()
    return version


def push_through(run: AssignmentRun, second: User) -> AssignmentRun:
    """Work a run off to its end; what the guard holds, `second` releases."""
    if work_off(run).state == AssignmentRun.State.HELD:
        runs.release_run(run=run, reason="It is as we expect.", actor=second, at=AT)
    return work_off(run)


def sign_everything(version: FrameworkVersion, signer: User) -> None:
    answers = [
        Answer(standing.requirement.pk, standing.digest, "approve")
        for standing in requirements_standing(version, AT)
        if signer in standing.requirement.pool.all()
    ]
    sign(version=version, decisions=answers, signer=signer, authentication="password", authenticated_at=AT, at=AT)


def work_off(run: AssignmentRun) -> AssignmentRun:
    """Do by hand what a worker does."""
    while runs.work_next_chunk(run_id=run.pk, at=AT):
        pass
    run.refresh_from_db()
    return run


def activate(version: FrameworkVersion) -> AssignmentRun:
    return work_off(request_activation(version=version, actor=version.author, at=AT))
