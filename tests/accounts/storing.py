"""Frameworks and accounts of `strategies.py` and `oracle.py` as rows, and what the engine says about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from django.db import connection

from accounts.attributes import CORE_ATTRIBUTES, OBSERVED
from accounts.evaluation import engine
from accounts.evaluation.explain import DimensionExplanation, VerdictNode, explain_account
from accounts.evaluation.stages import FrameworkPlan
from accounts.evaluation.statement import Scope
from accounts.models import (
    Account,
    Assignment,
    AssignmentRun,
    Cause,
    ListEntry,
    MetricSeries,
    Override,
    Signal,
)
from accounts.signal_keys import details_keys
from frameworks.criteria.ast import walk
from frameworks.criteria.text_keys import matching_key
from frameworks.models import (
    AccountList,
    Dimension,
    Framework,
    FrameworkVersion,
    Part,
    PartBody,
    Segment,
    User,
)
from tests.accounts.vocabulary import LISTS
from tests.frameworks.making import put_in_force
from tests.oracle import Bodies, Facts, Outcome, Verdict

_numbers = count(1)


def store_framework(bodies: Bodies, author: User) -> FrameworkVersion:
    """The parts as the active version of a framework of their own. Its parts may change no more."""
    framework = Framework.objects.create(slug=f"random-{next(_numbers)}", name="Random")
    return store_version(framework, bodies, author)


def store_version(framework: Framework, bodies: Bodies, author: User) -> FrameworkVersion:
    """The parts as the framework's next and active version."""
    number = framework.versions.count() + 1
    version = FrameworkVersion.objects.create(framework=framework, number=number, author=author)
    _store_identities(framework, bodies)
    texts = {part: json.dumps([part, body], sort_keys=True) for part, body in bodies.items()}
    digests = {part: hashlib.sha256(text.encode()).hexdigest() for part, text in texts.items()}
    PartBody.objects.bulk_create(
        [PartBody(digest=digests[part], kind=part[0], body=body) for part, body in bodies.items()],
        ignore_conflicts=True,
    )
    Part.objects.bulk_create(
        [Part(version=version, kind=kind, key=key, body_id=digests[kind, key]) for kind, key in bodies]
    )
    put_in_force(version)
    Framework.objects.update(active_version=None)
    framework.active_version = version
    framework.save(update_fields=["active_version"])
    return version


def _store_identities(framework: Framework, bodies: Bodies) -> None:
    """Rows for the dimensions and segments that the framework does not have yet."""
    for dimension in (key for kind, key in bodies if kind == "dimension"):
        row, _ = Dimension.objects.get_or_create(framework=framework, key=dimension, defaults={"name": dimension})
        known = set(row.segments.values_list("key", flat=True))
        Segment.objects.bulk_create(
            [
                Segment(dimension=row, key=short, name=short, rank=rank)
                for rank, short in enumerate(bodies["dimension", dimension]["segments"], 1)
                if short not in known
            ]
        )


def store_accounts(facts: Sequence[Facts], framework: Framework, author: User, at: datetime) -> list[Account]:
    """One row per account, what lies beside it, and its overrides. Values go where the engine looks for them."""
    rows = Account.objects.bulk_create([_account(each) for each in facts])
    store_beside(rows, facts, at)
    dimensions = {row.key: row for row in Dimension.objects.filter(framework=framework).prefetch_related("segments")}
    segments = {(row.key, each.key): each for row in dimensions.values() for each in row.segments.all()}
    Override.objects.bulk_create(
        [
            Override(
                account=row,
                dimension=dimensions[override.dimension],
                segment=segments[override.dimension, override.segment],
                valid_from=override.start,
                valid_until=override.end,
                reason="Agreed with the customer.",
                created_by=author,
                created_at=at,
            )
            for row, each in zip(rows, facts, strict=True)
            for override in each.overrides
        ]
    )
    return rows


def store_beside(rows: Sequence[Account], facts: Sequence[Facts], at: datetime) -> None:
    """Series, signals, list entries, and parents, which are accounts of their own."""
    pairs = [*zip(rows, facts, strict=True)]
    parents = [(row, each.parent) for row, each in pairs if each.parent is not None]
    above = Account.objects.bulk_create([_account(parent) for _, parent in parents])
    for (row, _), parent in zip(parents, above, strict=True):
        row.parent = row.ultimate_parent = parent
    Account.objects.bulk_update([row for row, _ in parents], ["parent", "ultimate_parent"])
    pairs += [(row, facts) for row, (_, facts) in zip(above, parents, strict=True)]
    MetricSeries.objects.bulk_create([series for row, each in pairs for series in _series_of(row, each)])
    Signal.objects.bulk_create([signal for row, each in pairs for signal in _signals_of(row, each, at)])
    lists = {key: AccountList.objects.get_or_create(key=key, defaults={"label": key})[0] for key in LISTS}
    ListEntry.objects.bulk_create(
        [ListEntry(list=lists[key], account=row, added_at=at) for row, each in pairs for key in each.lists]
    )


def _series_of(row: Account, facts: Facts) -> Iterator[MetricSeries]:
    for metric, grains in facts.series.items():
        for grain, values in grains.items():
            ends = sorted(values, reverse=True)
            numbers = [values[end] for end in ends]
            yield MetricSeries(account=row, metric=metric, grain=grain, ends=ends, values=numbers)


def _signals_of(row: Account, facts: Facts, at: datetime) -> Iterator[Signal]:
    for signal in facts.signals:
        yield Signal(
            account=row,
            kind=signal.kind,
            occurred_on=signal.day,
            details=dict(signal.details),
            details_keys=details_keys(signal.details),
            source="test",
            external_id=f"signal-{next(_numbers)}",
            recorded_at=at,
        )


def _account(facts: Facts) -> Account:
    name = f"Company {next(_numbers)}"
    row = Account(name=name, name_key=name.casefold())
    put_values(row, facts)
    return row


def put_values(row: Account, facts: Facts) -> None:
    """The columns of the account's own row."""
    row.exclusion, row.currency = "test" if facts.is_excluded else "", facts.currency
    row.attributes, row.attribute_keys, row.provenance = {}, {}, {}
    for key, value in facts.values.items():
        if key in CORE_ATTRIBUTES:
            setattr(row, key, value)
            if CORE_ATTRIBUTES[key] == "text":
                setattr(row, f"{key}_key", matching_key(value))
        else:
            row.attributes[key] = value
            if (matching := _matching(value)) is not None:
                row.attribute_keys[key] = matching
    for key, moment in facts.observed.items():
        if key in OBSERVED:
            setattr(row, f"{key}_observed_at", moment)
        else:
            row.provenance[key] = {"source": "crm", "at": moment.isoformat()}


def _matching(value: Any) -> str | list[str] | None:
    if isinstance(value, list):
        return [key for text in value if (key := matching_key(text, missing_tokens=()))]
    return matching_key(value) if isinstance(value, str) else None


def change_facts(rows: Sequence[Account], facts: Sequence[Facts], at: datetime) -> None:
    """Give stored accounts other facts. Signals happened and overrides were agreed: they stay with the account."""
    for row, each in zip(rows, facts, strict=True):
        for key in CORE_ATTRIBUTES:
            if key not in each.values and key != "stage":
                setattr(row, key, None)
        row.parent = row.ultimate_parent = None
        put_values(row, each)
        for key in OBSERVED - each.observed.keys():
            setattr(row, f"{key}_observed_at", None)
    Account.objects.bulk_update(rows, [*VALUES, "currency", "parent", "ultimate_parent"])
    MetricSeries.objects.filter(account__in=rows).delete()
    ListEntry.objects.filter(account__in=rows).delete()
    store_beside(rows, [replace(each, signals=()) for each in facts], at)


def hypothetical_of(row: Account, facts: Facts) -> dict[str, Any]:
    """The account as `evaluate_rows` takes it, with what lies beside it."""
    found = {
        **columns_of(row),
        "series": {
            metric: {
                grain: {end.isoformat(): str(value) for end, value in values.items()}
                for grain, values in grains.items()
            }
            for metric, grains in facts.series.items()
        },
        "signals": [
            {"kind": each.kind, "occurred_on": each.day.isoformat(), "details": dict(each.details)}
            for each in facts.signals
        ],
        "lists": sorted(facts.lists),
    }
    return found if facts.parent is None else {**found, "parent": hypothetical_of(_account(facts.parent), facts.parent)}


def columns_of(row: Account) -> dict[str, Any]:
    """The account as a hypothetical one: its columns as JSON has them, without id and links."""
    fields = [field for field in Account._meta.concrete_fields if not field.is_relation and not field.primary_key]
    values = {str(field.column): getattr(row, field.attname) for field in fields}
    return {
        name: value if value is None or isinstance(value, dict | int) else str(value) for name, value in values.items()
    }


# --- what the engine says


def apply(version: FrameworkVersion, ids: Sequence[int], at: datetime) -> engine.Outcome:
    """One statement for all accounts."""
    scope = Scope(ids=tuple(sorted(ids)))
    return engine.apply(plan=engine.plan_of(version), scope=scope, as_of=at, cause=Cause.DATA)


def apply_range(version: FrameworkVersion, low: int, high: int, at: datetime) -> engine.Outcome:
    """As a run's chunk does it: accounts by their key range."""
    scope = Scope(low=low, high=high)
    return engine.apply(plan=engine.plan_of(version), scope=scope, as_of=at, cause=Cause.VERSION)


def preview(version: FrameworkVersion, ids: Sequence[int], at: datetime) -> engine.Outcome:
    """Pass 1 of a run over these accounts."""
    run = AssignmentRun.objects.create(framework=version.framework, framework_version=version, as_of=at, created_at=at)
    scope = Scope(ids=tuple(sorted(ids)))
    return engine.preview(plan=engine.plan_of(version), scope=scope, as_of=at, run_id=run.pk)


def exchange_values(rows: Sequence[Account]) -> None:
    """The first account takes what the last one has, and so on."""
    taken = [{name: getattr(row, name) for name in VALUES} for row in reversed(rows)]
    for row, values in zip(rows, taken, strict=True):
        for name, value in values.items():
            setattr(row, name, value)
    Account.objects.bulk_update(rows, VALUES)


VALUES = [
    *CORE_ATTRIBUTES,
    *(f"{key}_key" for key, data_type in CORE_ATTRIBUTES.items() if data_type == "text"),
    *(f"{key}_observed_at" for key in sorted(OBSERVED)),
    *("attributes", "attribute_keys", "provenance", "exclusion"),
]


def assigned(ids: Sequence[int]) -> dict[int, dict[str, Outcome]]:
    """The stored outcomes by account and dimension, without traces."""
    rows = Assignment.objects.filter(account_id__in=ids).select_related("dimension", "computed", "effective")
    found: dict[int, dict[str, Outcome]] = {}
    for row in rows:
        found.setdefault(row.account_id, {})[row.dimension.key] = Outcome(
            segment=row.computed.key if row.computed else None,
            effective=row.effective.key if row.effective else None,
            until=row.override_until,
            reason=row.reason,
            rule=row.rule_key,
            missing=row.missing,
            losers=row.conflict,
            is_held=row.is_held,
        )
    return found


def traced(version: FrameworkVersion, ids: Sequence[int], at: datetime) -> dict[int, dict[str, Any]]:
    """Verdicts of every node by account, dimension, rule key and node id: the query of explanations, for many."""
    plan = engine.plan_of(version)
    text, parameters = plan.explaining
    scope = Scope(ids=tuple(ids))
    query = scope.narrow(text, plan)
    with connection.cursor() as cursor:
        cursor.execute(query, {**parameters, **scope.parameters, "as_of": at})
        return {row[0]: _traces(plan, row[1:]) for row in cursor.fetchall()}


def _traces(plan: FrameworkPlan, row: Sequence[Any]) -> dict[str, Any]:
    columns = iter(row)
    traces: dict[str, Any] = {}
    for dimension in plan.dimensions:
        for _ in range(6):
            next(columns)
        traces[dimension.key] = {
            candidate.key: dict(zip((n.id for n in walk(candidate.criteria.root)), next(columns), strict=True))
            for candidate in dimension.candidates
        }
    return traces


def explained(row: Account, at: datetime) -> dict[str, tuple[DimensionExplanation, dict[str, dict[str, Verdict]]]]:
    """The explanation people see, with its verdicts in the form of an oracle's trace."""
    words = {"true": True, "false": False, "unknown": None}
    found = {}
    for explanation in explain_account(account=row, at=at):
        rules = {rule.id: {node.id: words[node.verdict] for node in _under(rule)} for rule in explanation.rules}
        found[explanation.key] = (explanation, rules)
    return found


def _under(node: VerdictNode) -> list[VerdictNode]:
    return [each for child in node.children for each in (child, *_under(child))]
