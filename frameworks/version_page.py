"""What the version page shows: requirements, and what this person can do next."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from frameworks.checks.findings import Finding, Report
from frameworks.checks.slot import engine_checks
from frameworks.document import Document, PartId
from frameworks.errors import InvalidError
from frameworks.gates import findings_of
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts.policy import POLICIES
from frameworks.recertification import Recertification, recertifications
from frameworks.services.activation import activation_blockers, version_blockers
from frameworks.services.review import PlannedLine, plan_requirements, submission_problems
from frameworks.signing_page import STANDS
from frameworks.standing import RequirementStanding
from frameworks.standing_cache import Line
from frameworks.transitions import UNDER_WAY
from frameworks.version_contents import VersionContents
from frameworks.version_rail import VersionRail

State = FrameworkVersion.State
NOES_NAMED = 5


class VersionPage(VersionContents):
    """Everything about one version for one person, each piece read once."""

    @cached_property
    def _rail(self) -> VersionRail:
        return VersionRail(self)

    def rail(self, current: PartId | None = None) -> list[dict[str, Any]]:
        """What somebody has to look at first in each group; the rest of a long group as one line."""
        return self._rail.rail(current)

    def badge(self, parts: Sequence[PartId]) -> str:
        """One word or two: what somebody has to know about these parts."""
        return self._rail.badge(parts)

    @cached_property
    def recurring(self) -> list[Recertification]:
        """What has to be signed again on the version in force, as far as it is open."""
        if not self.version.is_active:
            return []
        return [each for each in recertifications(self.version, self.at) if each.is_open]

    @property
    def is_stale_base(self) -> bool:
        """Whether another version became active since this one was drafted; it can be rebased."""
        is_open = self.version.state == State.DRAFT or self.version.state in UNDER_WAY
        return is_open and self.version.base_version_id != self.version.framework.active_version_id

    @property
    def may_declare_emergency(self) -> bool:
        is_open = self.version.state in (State.DRAFT, State.IN_REVIEW) and not self.is_stale_base
        in_force = self.version.framework.active_version_id
        return bool(is_open and in_force and not self.to_confirm_first and self.may("activate_emergency"))

    @property
    def to_confirm_first(self) -> bool:
        return self.version.state == State.DRAFT and self.has_assumed_gate

    @property
    def open_count(self) -> int:
        return sum(line["state"] != "met" for line in self.requirement_lines)

    @property
    def may_request_changes(self) -> bool:
        if self.version.state != State.IN_REVIEW:
            return False
        asked = any(self.user.pk in pool for pool in self.tally.known.pools.values())
        return asked or self.may("submit_version")

    # Requirements

    @cached_property
    def my_open(self) -> int:
        """How many requirements wait for this person."""
        if self.version.state != State.IN_REVIEW and not self.version.awaits_ratification:
            return 0
        return sum(line.missing[self.user_id][1] for line in self.tally.lines if self.user_id in line.missing)

    @cached_property
    def requirement_lines(self) -> list[dict[str, Any]]:
        """One line per code, in the policy's order, for the requirement rail."""
        if self.version.state == State.DRAFT:
            carried = {line.code: line for line in self._lines}
            return [self._planned_line(line, carried.get(line.line.code)) for line in self.planned]
        return [self._requirement_line(line) for line in self.tally.lines]

    @cached_property
    def planned(self) -> list[PlannedLine]:
        return plan_requirements(self.version, self.manifest)

    @property
    def help_links(self) -> list[dict[str, str]]:
        """Where help is asked for what too few people can sign."""
        return [{"label": line["title"], "url": line["url"]} for line in self.requirement_lines if line["url"]]

    def _help(self, code: str, *, is_short: bool) -> dict[str, str]:
        """Where a reader who may speak asks for help; empty addresses where there is nothing to ask."""
        url = self.url("version_help", code=code) if is_short and self.may("comment_version") else ""
        return {"url": url, "action": "Ask for help"}

    def _requirement_line(self, line: Line) -> dict[str, Any]:
        single = line.standings[0] if line.total == 1 else None
        return {
            "title": line.label,
            "state": _state(line),
            "count": f"{len(single.approvals)}/{single.needed}" if single else f"{line.met:,}/{line.total:,}",
            "detail": " ".join([self._detail(line), *self._dissent(line)]),
            **self._help(line.code, is_short=line.lacks_signers and self.is_signed_now),
        }

    @property
    def is_signed_now(self) -> bool:
        return self.version.state in UNDER_WAY or self.version.awaits_ratification

    @cached_property
    def _lines(self) -> list[Line]:
        """Of a draft what its base and earlier rounds leave to be asked."""
        return self.standing_tally.lines if self.standing_tally else []

    def _planned_line(self, planned: PlannedLine, carried: Line | None) -> dict[str, Any]:
        line = {
            "title": planned.line.label,
            "state": "blocked" if planned.problem() else "open",
            "count": f"{len(planned.covered):,} part{'' if len(planned.covered) == 1 else 's'}",
            "detail": planned.problem() or self._asked_words(planned),
            **self._help(planned.line.code, is_short=planned.shortage() is not None),
        }
        if carried and not planned.problem() and (carried.approved_by or carried.rejections):
            line |= {"state": _state(carried), "detail": self._carried_detail(carried)}
            if 0 < carried.met < carried.total:
                line["count"] = f"{carried.total - carried.met:,} of {line['count']}"
        return line

    def _asked_words(self, planned: PlannedLine) -> str:
        names = ", ".join(person.name for person in planned.pool)
        return f"{planned.minimum} of: {names}" if names else ""

    def _carried_detail(self, line: Line) -> str:
        """What of a draft's line was signed before and still counts, who said No to it, and who will be asked."""
        if line.is_done:
            names = ", ".join(line.approved_by)
            return " ".join([f"Carried over, signed by {names}: nobody is asked.", *self._dissent(line)])
        words = [f"{line.met:,} of {line.total:,} carried over."] if line.met else []
        words += self._noes_said(line)
        if line.missing:
            words.append(f"Will be asked: {', '.join(name for name, _ in line.missing.values())}.")
        return " ".join([*words, *sorted(line.lapsed)])

    def _detail(self, line: Line) -> str:
        if not line.is_done:
            return self._still_needed(line)
        stands = any(self.tally.known.impact_stands(each) for each in line.standings)
        return f"{', '.join(line.approved_by)}{f'. {STANDS}' if stands else ''}"

    def _dissent(self, line: Line) -> list[str]:
        """Each No that was approved over, with both names: it is never left out."""
        return [
            f"Over the dissent of {given.printed_name} on {self._about_label(standing)}: “{given.reason}”."
            for standing, given in line.dissents
        ]

    def _noes_said(self, line: Line) -> list[str]:
        words = [
            f"{given.printed_name} said No to {self._about_label(standing)}."
            for standing, given in line.rejections[:NOES_NAMED]
        ]
        if len(line.rejections) > NOES_NAMED:
            words.append(f"And {len(line.rejections) - NOES_NAMED} more No.")
        return words

    def _still_needed(self, line: Line) -> str:
        words = self._noes_said(line)
        if self.user_id in line.missing:
            words.append(f"You: {line.missing[self.user_id][1]} to answer.")
        others = [name for pk, (name, _) in line.missing.items() if pk != self.user_id]
        if others:
            words.append(f"Still needed: {', '.join(others)}.")
        words += sorted(line.lapsed)
        return " ".join(words)

    def _about_label(self, standing: RequirementStanding) -> str:
        requirement = standing.requirement
        if not requirement.part_key:
            return requirement.label
        return self._rejected_names.label_of(requirement.part_kind, requirement.part_key)

    @cached_property
    def _rejected_names(self) -> Document:
        noes = [found for line in self._lines for found in (*line.rejections[:NOES_NAMED], *line.dissents)]
        about = [standing.requirement for standing, _ in noes]
        return self.names((each.part_kind, each.part_key) for each in about if each.part_key)

    # What comes next

    @cached_property
    def problems(self) -> list[str]:
        """Why a draft cannot be submitted."""
        return submission_problems(self.version, self.report) if self.version.state == State.DRAFT else []

    @cached_property
    def report(self) -> Report | None:
        """What the engine and live accounts said when somebody last ran the checks."""
        checks = engine_checks()
        return checks.known(self.version) if checks else None

    @cached_property
    def findings(self) -> list[Finding]:
        """What the checks found, each warning with its waiver; nothing while parts cannot be read."""
        try:
            return findings_of(self.version, self.report)
        except InvalidError:
            return []

    @property
    def are_problems_elsewhere(self) -> bool:
        """Checking every rule of a very large draft takes seconds: the Checks tab does, this page does not wait."""
        return self.version.state == State.DRAFT and self.is_large

    @property
    def lacks_playbooks(self) -> bool:
        """Whether some segment has no playbook yet; each has one at most."""
        return self.counts[Kind.PLAYBOOK] < self.counts[Kind.SEGMENT]

    @property
    def addable(self) -> list[tuple[str, str]]:
        """Kinds of parts that a draft has room for, and what the link to each one's form says."""
        room = {
            Kind.DIMENSION: True,
            Kind.TERM: True,
            Kind.PLAYBOOK: self.lacks_playbooks,
            Kind.POLICY: self.counts[Kind.POLICY] < len(POLICIES),
            Kind.DATA_SOURCE: True,
        }
        return [(kind.value, f"A {kind.label.lower()}") for kind, is_open in room.items() if is_open]

    @cached_property
    def blockers(self) -> list[str]:
        """Why a version under way cannot be activated yet, with a sentence for each requirement: for the checks."""
        return activation_blockers(self.version, self.at) if self.version.state in UNDER_WAY else []

    @property
    def met_count(self) -> int:
        return sum(line["state"] == "met" for line in self.requirement_lines)

    @cached_property
    def waits_for(self) -> str:
        """The reason under a disabled button; empty when a version under way can be activated."""
        if self.version.state not in UNDER_WAY:
            return ""
        count = self.open_count
        words = f"Activation waits for {count} requirement{'' if count == 1 else 's'}. {self._next_words()}"
        if count and not self.version.is_emergency:
            return words
        blockers = version_blockers(self.tally.known)
        return (words if count else blockers[0]) if blockers else ""

    def _next_words(self) -> str:
        """Who acts next: whoever said No with the author, else the first whose answer is missing."""
        for line in self.tally.lines:
            for standing, given in line.rejections[:1]:
                return f"Next: {given.printed_name} and {self.version.author} settle {self._about_label(standing)}."
        missing = [name for line in self.tally.lines for name, _ in line.missing.values()]
        return f"Next: {missing[0]}." if missing else ""


def _state(line: Line) -> str:
    return "met" if line.is_done else "blocked" if line.is_blocked else "open"
