"""What a check says: code, severity, text with figures, examples, and whether a waiver answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from frameworks.parts.waiver import Waiver, waiver_key

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Example:
    """One place where a finding holds: a region of values, one account that would be there, and real ones.

    `cell` has a value in words per input; `accounts` counts live accounts, None where nobody counted. `named` are
    (account UUID, name) of some of them.
    """

    text: str
    cell: tuple[tuple[str, str], ...] = ()
    outcome: str = ""
    accounts: int | None = None
    named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Finding:
    """One finding about `subject`: the key of a part ("tier", "tier/smb", "arr") or "" for the whole framework.

    `kind` is that part's kind. `items` say what exactly was found, in words that change only when the finding does,
    never with a count of accounts: a waiver covers a finding while it names every one of them.
    """

    code: str
    severity: Severity
    text: str
    kind: str = ""
    subject: str = ""
    items: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    waiver: Waiver | None = None

    @property
    def waiver_key(self) -> str:
        return waiver_key(self.code, self.subject)

    @property
    def fingerprint(self) -> str:
        """What a waiver's author had in front of them: another one, once anything was found besides."""
        return sha256("\n".join([self.waiver_key, *self.items]).encode()).hexdigest()

    @property
    def is_open(self) -> bool:
        """It keeps the version from being submitted."""
        return self.waiver is None

    @property
    def problem(self) -> str:
        """The finding as a reason against submitting."""
        return self.text if self.severity == "error" else f"{self.text} Write a waiver ({self.code}) or change it."


@dataclass(frozen=True)
class Sample:
    """A made-up account of a version: its values in words, and its segment in each dimension.

    `before` are the segments that differ under the base version; None is Unassigned.
    """

    number: int
    values: tuple[tuple[str, str], ...]
    segments: Mapping[str, str | None]
    reasons: Mapping[str, str]
    before: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What the engine and live accounts say about one wording of a version.

    `digest` is that of the wording (slot.checked_digest); `is_current` is false when parts were edited since.
    `is_running` while a worker computes a newer one, `done` of
    `total` steps; `failure` says why the last one came to nothing. `unreached` are pairs of segments that no sample
    record has, in words.
    """

    findings: tuple[Finding, ...] = ()
    samples: tuple[Sample, ...] = ()
    unreached: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cells: int = 0
    accounts: int = 0
    seconds: float = 0
    checked_at: datetime | None = None
    digest: str = ""
    is_current: bool = False
    is_running: bool = False
    done: int = 0
    total: int = 0
    failure: str = ""

    @property
    def changed_samples(self) -> int:
        return sum(bool(sample.before) for sample in self.samples)


def with_waivers(findings: Iterable[Finding], waivers: Mapping[str, Waiver]) -> list[Finding]:
    """The findings, errors first, each warning with the waiver that covers it. Errors cannot be waived."""
    answered = [_answered(finding, waivers.get(finding.waiver_key)) for finding in findings]
    return sorted(answered, key=lambda each: (each.severity != "error", each.waiver is not None))


def _answered(finding: Finding, waiver: Waiver | None) -> Finding:
    if finding.severity == "error" or waiver is None:
        return finding
    covers = (waiver.code, waiver.subject) == (finding.code, finding.subject) and set(finding.items) <= set(
        waiver.items
    )
    return replace(finding, waiver=waiver) if covers else finding


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding as it is kept and sent; `from_json` reads it again."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "text": finding.text,
        "kind": finding.kind,
        "subject": finding.subject,
        "items": list(finding.items),
        "examples": [
            {
                "text": example.text,
                "cell": [list(pair) for pair in example.cell],
                "outcome": example.outcome,
                "accounts": example.accounts,
                "named": [list(pair) for pair in example.named],
            }
            for example in finding.examples
        ],
    }


def from_json(stored: Mapping[str, Any]) -> Finding:
    """The finding that `as_json` wrote."""
    examples = tuple(
        Example(
            text=each["text"],
            cell=tuple((label, value) for label, value in each["cell"]),
            outcome=each["outcome"],
            accounts=each["accounts"],
            named=tuple((uuid, name) for uuid, name in each["named"]),
        )
        for each in stored["examples"]
    )
    plain = {name: stored[name] for name in ("code", "severity", "text", "kind", "subject")}
    return Finding(**plain, items=tuple(stored["items"]), examples=examples)
