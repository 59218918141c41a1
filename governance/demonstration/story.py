"""What has happened at the demo's company, step by step, with the product's own services."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

import accounts
from accounts.demo_data.generate import generate_demo_values
from accounts.models import Account, AssignmentRun
from accounts.services.evaluation import evaluate_pending
from accounts.services.intake import import_file
from accounts.services.runs import plan_study, work_next_chunk
from frameworks.checks.slot import engine_checks
from frameworks.gates import findings_of
from frameworks.models import Contribution, Dimension, Framework, FrameworkVersion, Segment, User
from frameworks.services.drafting import assumed_parts, confirm_parts, create_framework, save_part, start_draft
from frameworks.services.review import submit_version
from frameworks.services.signing import Answer, sign
from frameworks.services.waiving import waive_findings
from frameworks.standing import requirements_standing
from governance.demonstration.intake import take_in
from governance.demonstration.meetings import hold_kickoff, plan_refinement
from governance.models import OverrideRequest
from governance.services.activation import request_activation
from governance.services.requests import decide_override, request_override

DATA = Path(accounts.__file__).parent / "demo_data"
PANEL = DATA / "fortune1000_2019_2021_panel.csv"
MAPPING = DATA / "fortune1000.yaml"
SLUG = "customer-segmentation"
STAGES = ("people", "accounts", "draft", "active", "full")

ACCEPTED = {
    "small_segment": "Few accounts are there yet; the play is written for those that come.",
    "dominant_segment": "That is where most customers are today; the next council looks at it again.",
    "too_unassigned": "What is missing is being enriched; CS Ops has the list.",
    "coverage": "The enrichment of this attribute is ordered; until then its accounts are Unassigned or provisional.",
    "out_of_range": "The threshold is where we want to grow to.",
    "not_distinct": "One year of history is too little to tell them apart; the next council looks at it again.",
}

People = dict[str, User]
Say = Callable[[str], None]


def tell(*, until: str, people: People, at: datetime, say: Say) -> None:
    """Play the story up to the stage `until` (one of STAGES)."""
    reached = STAGES.index(until)
    if reached >= STAGES.index("accounts"):
        import_years(["2019", "2020"], people, at, say)
    if reached >= STAGES.index("draft"):
        version = draft_framework(people, at, say)
        take_in(version, people, at)
        say("Took in the business questions: Priya signed who takes part and what for; one question has no answer yet.")
        hold_kickoff(version.framework, people, at)
        say("Held the kickoff about it: everything was ASSUMED.")
        if reached >= STAGES.index("active"):
            bring_into_force(version, people, at, say)
    if until == "full":
        import_years(["2021"], people, at, say)
        ask_for_overrides(people, at, say)
        draft_next_version(people, at, say)
        plan_refinement(Framework.objects.get(slug=SLUG), people, at)
        say("A refinement meeting is planned for next week; its pack is ready.")


def import_years(years: list[str], people: People, at: datetime, say: Say) -> None:
    """Import rows of the public list; after the first time, generate what the list cannot know."""
    is_first = not Account.objects.exists()
    report = import_file(path=PANEL, mapping=MAPPING, actor=people["ravi"], at=at, periods=years)
    say(f"Imported {', '.join(years)}: {report.created:,} accounts created, {report.updated:,} updated.")
    generate_demo_values(
        csms=[people["leah"], people["jonas"]], aes=[people["owen"]], as_of=timezone.localdate(at), at=at
    )
    if is_first:
        say("Generated ARR, usage, health, CSMs and contracts: the list cannot know them.")
    while evaluate_pending(at=timezone.now()):
        pass


def draft_framework(people: People, at: datetime, say: Say) -> FrameworkVersion:
    version = create_framework(
        name="Customer Segmentation",
        slug="customer-segmentation",
        template="firmographic_value",
        actor=people["ravi"],
        at=at,
    )
    say(f"Drafted {version} of Customer Segmentation: {version.parts.count()} parts, everything ASSUMED.")
    return version


def bring_into_force(version: FrameworkVersion, people: People, at: datetime, say: Say) -> None:
    """Confirm, submit, have everybody sign, activate, and evaluate every account."""
    evidence = "Agreed in the kickoff and refinement meetings."
    confirm_parts(version=version, parts=assumed_parts(version), evidence=evidence, actor=people["ravi"], at=at)
    accept_warnings(version, people["ravi"], at)
    submit_version(version=version, actor=people["ravi"], at=at)
    study_impact(version, at)
    for name in ("priya", "marcus", "nadia", "tomas", "dana"):
        sign_as(people[name], version, at)
    run = request_activation(version=version, actor=people["ravi"], at=at)
    work_off(run)
    run.refresh_from_db()
    say(
        f"Signed by Priya, Marcus, Nadia, Tomas and Dana; activated: {run.accounts:,} accounts assigned"
        f" ({run.get_state_display()})."
    )
    for reason in run.held_because:
        say(f"  {reason}")


def accept_warnings(version: FrameworkVersion, actor: User, at: datetime) -> None:
    """What the checks warn about in the demo's own data, each accepted in writing."""
    checks = engine_checks()
    report = checks.ensure(version, at) if checks else None
    for finding in findings_of(version, report):
        if finding.is_open and finding.severity == "warning":
            reason = ACCEPTED.get(finding.code, "Looked at in the refinement meeting and accepted for this version.")
            waive_findings(
                version=version,
                findings=[finding],
                reason=reason,
                actor=actor,
                at=at,
                source=Contribution.Source.COMMAND,
            )


def study_impact(version: FrameworkVersion, at: datetime) -> None:
    """Compute the figures that the executive signs."""
    work_off(plan_study(version=version, actor=None, at=at))


def sign_as(signer: User, version: FrameworkVersion, at: datetime, *, refuse: str = "", reason: str = "") -> None:
    """Sign all that waits for `signer`; the part with the key `refuse` gets a No with `reason`."""
    answers = []
    for standing in requirements_standing(version, at):
        if standing.requirement.pool.filter(pk=signer.pk).exists():
            says_no = bool(refuse) and standing.requirement.part_key == refuse
            decision = ("reject", reason) if says_no else ("approve", "")
            answers.append(Answer(standing.requirement.pk, standing.digest, *decision))
    sign(version=version, decisions=answers, signer=signer, authentication="password", authenticated_at=at, at=at)


def work_off(run: AssignmentRun) -> None:
    """What workers do; the demo is loaded before they are started."""
    while work_next_chunk(run_id=run.pk, at=timezone.now()):
        pass


def ask_for_overrides(people: People, at: datetime, say: Say) -> None:
    """One override in force and one waiting for CS Ops, both for accounts of Leah's in Mid-Market."""
    dimension = Dimension.objects.get(key="customer_tier", is_live=True)
    enterprise = Segment.objects.get(dimension=dimension, key="enterprise")
    candidates = Account.objects.filter(
        csm=people["leah"],
        stage=Account.Stage.CUSTOMER,
        assignments__dimension=dimension,
        assignments__effective__key="mid_market",
    )
    first, second = candidates.filter(arr__isnull=False).order_by("-arr", "pk")[:2]
    reason = "Signed a group-wide rollout to four sister companies; the order forms close in January."
    approved = _ask(first, dimension, enterprise, reason, people["leah"], at)
    decide_override(
        request=approved,
        verdict="approve",
        reason="The letter of intent is in the deal room.",
        actor=people["dana"],
        at=at,
        expected_version=approved.version,
    )
    _ask(
        second, dimension, enterprise, "The board asked for Enterprise treatment until the renewal.", people["leah"], at
    )
    while evaluate_pending(at=timezone.now()):
        pass
    say(f"{first.name} counts as Enterprise by override; a request for {second.name} waits for CS Ops.")


def _ask(
    account: Account, dimension: Dimension, segment: Segment, reason: str, actor: User, at: datetime
) -> OverrideRequest:
    return request_override(
        account=account,
        dimension=dimension,
        segment=segment,
        reason_code="strategic_relationship",
        reason=reason,
        valid_from=at,
        valid_until=at + timedelta(days=70),
        actor=actor,
        at=at,
    )


def draft_next_version(people: People, at: datetime, say: Say) -> None:
    """The next version in review: one wording changed, one stakeholder through, one No, one open."""
    framework = Framework.objects.get(slug=SLUG)
    version = start_draft(framework=framework, actor=people["ravi"], at=at)
    part = version.parts.select_related("body").get(kind="term", key="arr")
    wording = (
        "The yearly value of signed recurring subscriptions on the last day of the quarter, without usage overage."
    )
    _save(version, "term", "arr", {**part.body.body, "wording": wording}, part.body_id, people["ravi"], at)
    evidence = "Agreed in the quarterly segment council."
    confirm_parts(version=version, parts=assumed_parts(version), evidence=evidence, actor=people["ravi"], at=at)
    accept_warnings(version, people["ravi"], at)
    submit_version(version=version, actor=people["ravi"], at=at)
    sign_as(people["nadia"], version, at)
    sign_as(people["marcus"], version, at, refuse="arr", reason="Usage overage is a third of what my team sells.")
    say(f"{version} is in review: Nadia signed, Marcus said No to the new wording of ARR, Priya has not answered.")


def _save(version: FrameworkVersion, kind: str, key: str, body: object, digest: str, actor: User, at: datetime) -> None:
    save_part(
        version=version,
        kind=kind,
        key=key,
        body=body,
        expected_digest=digest,
        actor=actor,
        at=at,
        source=Contribution.Source.PAGE,
    )
