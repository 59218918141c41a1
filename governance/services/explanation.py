"""The rules' answer for one account in one dimension, for whoever decides about a deviation from it."""

from collections.abc import Iterator
from datetime import datetime

from django.db import DataError

from accounts.evaluation.explain import DimensionExplanation, VerdictNode, explain_account
from accounts.models import Account
from frameworks.models import Dimension
from frameworks.templatetags.cutline import day


def explanation_of(account: Account, dimension: Dimension, at: datetime) -> DimensionExplanation | None:
    """The explanation under the active version; None when there is none or a stored value cannot be read."""
    try:
        found = explain_account(account=account, at=at)
    except DataError:
        return None
    return next((each for each in found if each.dimension_id == dimension.pk), None)


def explanation_lines(explanation: DimensionExplanation | None) -> list[tuple[int, str]]:
    """The explanation as text, each line with its depth: for pages that draw no tree."""
    if explanation is None:
        return [(0, "The rules have no answer for this account now.")]
    return [(0, explanation.sentence), *(line for rule in explanation.rules for line in _lines(rule, 0))]


def _lines(node: VerdictNode, depth: int) -> Iterator[tuple[int, str]]:
    details = [node.value, node.source, day(node.observed_at) if node.observed_at else ""]
    said = ", ".join(detail for detail in details if detail)
    yield depth, f"{node.verdict}: {node.text}" + (f" ({said})" if said else "")
    for child in node.children:
        yield from _lines(child, depth + 1)
