"""Findings of the checks as pages show them: with addresses, figures, and what somebody has seen who waives them."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from frameworks.checks.findings import Finding


@dataclass(frozen=True)
class ShownExample:
    """A region with its figures; `accounts` are (address or "", name) of some of them."""

    text: str
    cell: str
    outcome: str
    count: int | None
    accounts: list[tuple[str, str]]


@dataclass(frozen=True)
class ShownFinding:
    """A finding as a page shows it. `seen` is what the waiver's author had in front of them; `about` the part."""

    finding: Finding
    url: str
    about: str
    seen: str
    examples: list[ShownExample]
    waiver_url: str


def shown_finding(finding: Finding, url: str = "", about: str = "", waiver_url: str = "") -> ShownFinding:
    """`url` and `about` are address and name of the part that the finding is about."""
    examples = [
        ShownExample(
            text=example.text,
            cell=" · ".join(f"{label} {value}" for label, value in example.cell),
            outcome=example.outcome,
            count=example.accounts,
            accounts=[(_account_url(uuid), name) for uuid, name in example.named],
        )
        for example in finding.examples
    ]
    return ShownFinding(finding, url, about, finding.fingerprint, examples, waiver_url)


def _account_url(uuid: str) -> str:
    """Accounts are pages of an app above; empty where that app is not installed."""
    try:
        return reverse("accounts:account_detail", kwargs={"uuid": uuid})
    except NoReverseMatch:
        return ""
