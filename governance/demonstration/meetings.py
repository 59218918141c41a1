"""The demo's alignment meetings: a kickoff that was held, with its homework, and a refinement that is planned."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from frameworks.models import Framework, User
from governance.models import Homework, Meeting
from governance.services.homework import give_homework, settle_homework
from governance.services.meetings import Plan, close_meeting, plan_meeting, record_decision

ZONE = "Europe/Berlin"
People = Mapping[str, User]
KICKOFF = ("What segments are used for", "The draft from the template", "Who settles which ASSUMED part")
REFINEMENT = ("Accounts around each threshold", "What is still ASSUMED", "Terms somebody said No to")


def hold_kickoff(framework: Framework, people: People, at: datetime) -> Meeting:
    """It takes place while the first draft is ASSUMED as a whole, so the progress begins at nothing."""
    invited = [people[name] for name in ("priya", "marcus", "nadia", "dana")]
    focus = "Agree what segments are for, and on the words of the first draft"
    plan = Plan("kickoff", at - timedelta(hours=2), ZONE, focus, KICKOFF, invited)
    meeting = plan_meeting(framework=framework, plan=plan, actor=people["ravi"], at=at)
    came = {person.pk: "absent" if person == people["dana"] else "attended" for person in invited}
    notes = "Sales wants tiers for coverage, CS for playbooks; Finance for the forecast by segment."
    meeting = close_meeting(meeting=meeting, attendance=came, notes=notes, actor=people["ravi"], at=at)
    record_decision(
        meeting=meeting,
        text="Tiers follow ARR first; headcount decides where ARR is not known.",
        part_kind="dimension",
        part_key="customer_tier",
        decided_by=people["priya"],
        actor=people["ravi"],
        at=at,
    )
    done = _give(meeting, "Bring the list of accounts that Finance counts twice.", "nadia", 7, people, at)
    settle_homework(homework=done, to="done", actor=people["nadia"], at=at)
    near = "Name those of your accounts that lie within 10 % of a threshold and belong on its other side."
    _give(meeting, near, "marcus", 14, people, at)
    return meeting


def plan_refinement(framework: Framework, people: People, at: datetime) -> Meeting:
    """The next one, next week; its pack is read beforehand."""
    invited = [people[name] for name in ("priya", "marcus", "nadia", "dana", "tomas")]
    focus = "Settle the wording of ARR, and the accounts near the Enterprise threshold"
    start = (at + timedelta(days=7)).replace(hour=13, minute=0, second=0, microsecond=0)
    plan = Plan("refinement", start, ZONE, focus, REFINEMENT, invited)
    return plan_meeting(framework=framework, plan=plan, actor=people["ravi"], at=at)


def _give(meeting: Meeting, text: str, name: str, days: int, people: People, at: datetime) -> Homework:
    due_on = timezone.localdate(at) + timedelta(days=days)
    return give_homework(meeting=meeting, text=text, assignee=people[name], due_on=due_on, actor=people["ravi"], at=at)
