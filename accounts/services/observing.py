"""Taking metric observations and signals that programs push: judged item by item, written together.

Both are written once: a restated value is another row, and the newest closed one of a period counts.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from accounts import pushed_facts
from accounts.intake.series import keep_series as keep_series_of
from accounts.intake.targets import importable_targets
from accounts.models import Account, Cause, MetricObservation, Signal
from accounts.pushed_facts import FactItem
from accounts.services.identifying import identified
from accounts.services.marking import note_other_facts
from accounts.services.pushing import ItemResult, PushResult
from accounts.signal_keys import details_keys
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.models import User


def push_observations(*, items: Sequence[Any], all_or_none: bool, actor: User | None, at: datetime) -> PushResult:
    """Store metric observations (JSON objects, see accounts.pushed_facts); `at` is when they were recorded.

    An item is created (a period nobody spoke of), updated (a restated value) or unchanged. Raises NotAllowedError.
    """
    _check_may_push(actor)
    metrics = frozenset(key for key, target in importable_targets().items() if target.is_number)
    readers = pushed_facts.observation_readers(metrics)
    read = [
        pushed_facts.read_item(index, data, readers, pushed_facts.OBSERVATION_NEEDS) for index, data in enumerate(items)
    ]
    for item in read:
        pushed_facts.check_observation(item, at.date())
    _refuse_repeated(read, lambda item: (item.account, *(item.values[name] for name in _PERIOD)))
    with transaction.atomic():
        return _Observations(read, at).run(all_or_none=all_or_none)


def record_signals(*, items: Sequence[Any], all_or_none: bool, actor: User | None, at: datetime) -> PushResult:
    """Store signals (JSON objects, see accounts.pushed_facts); `at` is when they were recorded.

    An item is created or, when its source has sent it before, unchanged. Raises NotAllowedError, and ConflictError
    when another transaction stored one of them at the same moment.
    """
    _check_may_push(actor)
    read = [
        pushed_facts.read_item(index, data, pushed_facts.SIGNAL_READERS, pushed_facts.SIGNAL_NEEDS)
        for index, data in enumerate(items)
    ]
    for item in read:
        pushed_facts.check_signal(item, at.date())
    _refuse_repeated(read, lambda item: (item.values["source"], item.values["signal_id"]))
    try:
        with transaction.atomic():
            return _Signals(read, at).run(all_or_none=all_or_none)
    except IntegrityError as error:
        raise ConflictError("Somebody else is storing one of these signals. Send the batch again.") from error


def keep_series(*, account_ids: Iterable[int], at: datetime) -> list[int]:
    """Make the series of these accounts anew from all their observations; ids of those that changed, now marked."""
    with transaction.atomic(), connection.cursor() as cursor:
        rows = Account.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=list(account_ids))
        ids = list(rows.order_by("pk").values_list("pk", flat=True))
        changed = keep_series_of(
            cursor,
            "SELECT account_id, metric, grain FROM accounts_metricobservation WHERE account_id = ANY(%(ids)s)",
            {"ids": ids},
        )
        note_other_facts(account_ids=changed, cause=Cause.DATA, at=at)
    return changed


_PERIOD = ("metric", "grain", "period")


def _check_may_push(actor: User | None) -> None:
    """None is the system itself: a shell on the server."""
    if actor is not None and not actor.has_perm("accounts.import_accounts"):
        raise NotAllowedError("You may not push account data.")


def _refuse_repeated(items: list[FactItem], key: Callable[[FactItem], Any]) -> None:
    for item in list(pushed_facts.repeated(items, key)):
        item.refuse("", "duplicate_in_batch", "Another item of this batch says the same or another thing of this.")


class _Facts:
    """A batch of items about accounts that exist."""

    def __init__(self, items: list[FactItem], at: datetime) -> None:
        self.items = items
        self.at = at
        self.accounts = _locked_accounts([item.account for item in items if not item.errors])

    def run(self, *, all_or_none: bool) -> PushResult:
        self.prepare()
        results = [self._judged(item) for item in self.items]
        failures = sum(result.status == "failed" for result in results)
        if failures and (all_or_none or failures == len(results)):
            return PushResult(results, is_applied=False)
        changed = self.write()
        note_other_facts(account_ids=changed, cause=Cause.DATA, at=self.at)
        by_uuid = {account.uuid for account in self.accounts.values() if account.pk in set(changed)}
        for result in results:
            if result.uuid in by_uuid and result.version is not None:
                result.version += 1
        return PushResult(results, is_applied=True)

    def _judged(self, item: FactItem) -> ItemResult:
        if not item.errors:
            self._check_account(item)
        if item.errors:
            return ItemResult(item.index, errors=item.errors)
        account = self.accounts[item.account]
        status = self.judge(item, account)
        if item.errors:
            return ItemResult(item.index, errors=item.errors)
        return ItemResult(item.index, status, account.uuid, account.version)

    def _check_account(self, item: FactItem) -> None:
        account = self.accounts.get(item.account)
        if account is None:
            item.refuse("/external_id", "unknown_account", "No account has this id.")
        elif account.deleted_at or account.merged_into_id:
            item.refuse("/external_id", "account_gone", "This account was deleted or merged into another.")

    def prepare(self) -> None:
        """Read what the items are compared with."""
        raise NotImplementedError

    def judge(self, item: FactItem, account: Account) -> str:
        """The status of an item of an account; or an error put into the item."""
        raise NotImplementedError

    def write(self) -> list[int]:
        """Write what was judged; ids of the accounts of which rules may now read something else."""
        raise NotImplementedError


class _Observations(_Facts):
    def prepare(self) -> None:
        self.new: list[MetricObservation] = []
        pks = {account.pk for account in self.accounts.values()}
        good = [item for item in self.items if not item.errors]
        rows = MetricObservation.objects.filter(
            account__in=pks,
            metric__in={item.values["metric"] for item in good},
            period__in={item.values["period"] for item in good},
        )
        newest = rows.order_by("account_id", *_PERIOD, "-pk").distinct("account_id", *_PERIOD)
        self.known = {(row.account_id, row.metric, row.grain, row.period): row for row in newest}

    def judge(self, item: FactItem, account: Account) -> str:
        said = item.values
        key = (account.pk, *(said[name] for name in _PERIOD))
        before = self.known.get(key)
        same = ("value", "is_closed", "period_end_on")
        if before is not None and all(getattr(before, name) == said[name] for name in same):
            return "unchanged"
        given = {name: said[name] for name in (*_PERIOD, *same, "source")}
        self.known[key] = row = MetricObservation(account_id=account.pk, recorded_at=self.at, **given)
        self.new.append(row)
        return "updated" if before else "created"

    def write(self) -> list[int]:
        MetricObservation.objects.bulk_create(self.new)
        concerned = "SELECT * FROM unnest(%(accounts)s::bigint[], %(metrics)s::text[], %(grains)s::text[])"
        with connection.cursor() as cursor:
            return keep_series_of(
                cursor,
                concerned + " AS t(account_id, metric, grain)",
                {
                    "accounts": [row.account_id for row in self.new],
                    "metrics": [row.metric for row in self.new],
                    "grains": [row.grain for row in self.new],
                },
            )


class _Signals(_Facts):
    def prepare(self) -> None:
        self.new: list[Signal] = []
        good = [item for item in self.items if not item.errors]
        rows = Signal.objects.filter(
            source__in={item.values["source"] for item in good},
            external_id__in={item.values["signal_id"] for item in good},
        )
        self.known = {(row.source, row.external_id): row for row in rows}

    def judge(self, item: FactItem, account: Account) -> str:
        said = item.values
        given = {"kind": said["kind"], "occurred_on": said["occurred_on"], "details": said.get("details", {})}
        before = self.known.get((said["source"], said["signal_id"]))
        if before is None:
            self.new.append(
                Signal(
                    account_id=account.pk,
                    source=said["source"],
                    external_id=said["signal_id"],
                    details_keys=details_keys(given["details"]),
                    recorded_at=self.at,
                    **given,
                )
            )
            return "created"
        if before.account_id != account.pk or any(getattr(before, name) != value for name, value in given.items()):
            item.refuse("/signal_id", "conflict", "This signal came before and said another thing.")
        return "unchanged"

    def write(self) -> list[int]:
        Signal.objects.bulk_create(self.new)
        return sorted({row.account_id for row in self.new})


def _locked_accounts(keys: list[tuple[str, str]]) -> dict[tuple[str, str], Account]:
    """The accounts that exist, locked in the order of their keys."""
    known = identified(keys)
    rows = Account.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=set(known.values()))
    by_id = {account.pk: account for account in rows.order_by("pk")}
    return {key: by_id[pk] for key, pk in known.items()}
