"""Taking account data that programs push: up to a thousand accounts in a handful of statements.

Every item is judged before anything is written. Only rows in which something changed get a new version, new
provenance and a mark that owes them an evaluation, all in one transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from accounts.intake.cells import name_key, tag_keys, text_key
from accounts.intake.hierarchy import lock_hierarchy
from accounts.intake.targets import importable_targets
from accounts.models import Account, AccountIdentifier, Cause
from accounts.pushed import STATE_CODES, Item, ItemError, ItemReader, instant, repeated
from accounts.relevance import attributes_read, concerns
from accounts.services.identifying import identified
from accounts.services.marking import mark_facts
from accounts.services.parents import ParentsWanted
from frameworks.errors import ConflictError, NotAllowedError
from frameworks.models import User

ITEMS_MOST: Final = 1000
# Of its own class, so that it never meets the evaluation's locks.
_LOCK_CLASS: Final = 7202
_NAME_KEY_CHARACTERS: Final = 255


@dataclass
class ItemResult:
    """What became of one item: created, updated, unchanged, stale or failed."""

    index: int
    status: str = "failed"
    uuid: UUID | None = None
    version: int | None = None
    errors: list[ItemError] = field(default_factory=list)


@dataclass(frozen=True)
class PushResult:
    """Results in the order of the items. `is_applied` is False when nothing was written because of failures."""

    results: list[ItemResult]
    is_applied: bool

    @property
    def summary(self) -> dict[str, int]:
        counts = dict.fromkeys(("created", "updated", "unchanged", "stale", "failed"), 0)
        for result in self.results:
            counts[result.status] += 1
        return counts

    @property
    def depends_on_state(self) -> bool:
        return any(error.code in STATE_CODES for result in self.results for error in result.errors)


def push_accounts(*, items: Sequence[Any], all_or_none: bool, actor: User, at: datetime) -> PushResult:
    """Create or update the accounts that `items` (JSON objects, see accounts.pushed) name.

    A failed item leaves its account as it was; the others are written, unless `all_or_none`. Raises
    NotAllowedError, and ConflictError when another transaction made one of the accounts at the same moment.
    """
    if not actor.has_perm("accounts.import_accounts"):
        raise NotAllowedError("You may not push account data.")
    reader = ItemReader(importable_targets(), at)
    read = [reader.read(index, data) for index, data in enumerate(items)]
    for item in list(repeated(read)):
        item.errors.append(ItemError("", "duplicate_in_batch", "Another item of this batch names the same account."))
    try:
        with transaction.atomic():
            return _Push(reader, at).run(read, all_or_none=all_or_none)
    except IntegrityError as error:
        raise ConflictError("Somebody else is making one of these accounts. Send the batch again.") from error


class _Push:
    """One batch on its way into the database."""

    def __init__(self, reader: ItemReader, at: datetime) -> None:
        self.targets, self.own = reader.core, reader.own
        self.at = at
        self.new: list[tuple[Item, Account]] = []
        # By key: two ids of one account may come in one batch.
        self.changed: dict[int, Account] = {}
        self.moved: set[int] = set()
        self.read = attributes_read()
        self.parents = ParentsWanted([], {})

    def run(self, items: list[Item], *, all_or_none: bool) -> PushResult:
        good = [item for item in items if not item.errors]
        if any(item.has_parent for item in good):
            lock_hierarchy()
        stored = self._lock(good)
        self.parents = ParentsWanted(good, {key: account.pk for key, account in stored.items()})
        results = [self._judge(item, stored.get(item.key)) for item in items]
        failures = sum(result.status == "failed" for result in results)
        if failures and (all_or_none or failures == len(results)):
            return PushResult(results, is_applied=False)
        self._write()
        return PushResult(results, is_applied=True)

    def _lock(self, items: list[Item]) -> dict[tuple[str, str], Account]:
        """The accounts that exist, locked in the order of their keys; for the others, the right to make them."""
        keys = [item.key for item in items]
        known = identified(keys)
        missing = [key for key in keys if key not in known]
        if missing:
            _claim(missing)
            # Whoever held the claim may have made them meanwhile.
            known |= identified(missing)
        rows = (
            Account.objects.select_for_update(of=("self",), no_key=True)
            .filter(pk__in=set(known.values()))
            .order_by("pk")
        )
        by_id = {account.pk: account for account in rows}
        return {key: by_id[pk] for key, pk in known.items()}

    def _judge(self, item: Item, account: Account | None) -> ItemResult:
        if item.errors:
            return ItemResult(item.index, errors=item.errors)
        if account is None:
            return self._create(item)
        if account.deleted_at or account.merged_into_id:
            return _failed(item, "/external_id", "account_gone", "This account was deleted or merged into another.")
        result = ItemResult(item.index, "unchanged", account.uuid, account.version)
        if _is_older(item, account):
            result.status = "stale"
            return result
        return self._update(item, account, result)

    def _create(self, item: Item) -> ItemResult:
        if not item.values.get("name"):
            return _failed(item, "/name", "required", "This account is new, so it needs a name.")
        if refusal := self.parents.refusal(item):
            return ItemResult(item.index, errors=[refusal])
        account = Account()
        # A value that happens to be the default was said all the same, and has a source.
        self._assign(item, account, {*item.values, *item.own})
        self._note_source(item, account)
        self.new.append((item, account))
        return ItemResult(item.index, "created", account.uuid, account.version)

    def _update(self, item: Item, account: Account, result: ItemResult) -> ItemResult:
        changed = _differences(item, account)
        if changed and _versions_compare(item, account) and item.source_version == account.source_version:
            detail = "This source_version came before with other values."
            return _failed(item, "/source_version", "conflict", detail)
        if refusal := self.parents.refusal(item):
            return ItemResult(item.index, errors=[refusal])
        changed |= _seen_again(item, account)
        self._assign(item, account, changed)
        changed |= self.parents.changes(item, account)
        if changed:
            account.version += 1
        if concerns(changed, self.read):
            self.moved.add(account.pk)
        if self._note_source(item, account) or changed:
            self.changed[account.pk] = account
        result.status = "updated" if changed else "unchanged"
        result.version = account.version
        return result

    def _assign(self, item: Item, account: Account, keys: Iterable[str]) -> None:
        """Put the named values of the item into the account, and where they came from."""
        for key in keys:
            if key in item.own:
                self._assign_own(account, key, item.own[key])
            else:
                setattr(account, key, item.values[key])
                if self.targets[key].has_key:
                    setattr(account, f"{key}_key", _text_key(key, item.values[key]))
        self._note_origin(item, account, keys)

    def _assign_own(self, account: Account, key: str, value: Any) -> None:
        """The JSON holds no null: a missing value is a missing key."""
        matching = _text_key(key, value) if self.own[key].has_key else None
        for stored, found in ((account.attributes, value), (account.attribute_keys, matching)):
            if found is None:
                stored.pop(key, None)
            else:
                stored[key] = found

    def _note_origin(self, item: Item, account: Account, keys: Iterable[str]) -> None:
        seen_at = item.observed_at or self.at
        for key in keys:
            account.provenance[key] = {"source": item.source, "at": instant(seen_at)}
            if key in self.targets and self.targets[key].is_observed:
                is_cleared = getattr(account, key) is None
                setattr(account, f"{key}_observed_at", None if is_cleared else seen_at)

    def _note_source(self, item: Item, account: Account) -> bool:
        """Keep the source's own version of the account; whether that is news."""
        told = {"source_version": item.source_version, "source_updated_at": item.source_updated_at}
        news = {key: value for key, value in told.items() if value is not None and getattr(account, key) != value}
        for key, value in news.items():
            setattr(account, key, value)
            account.provenance[key] = {"source": item.source, "at": instant(self.at)}
        return bool(news)

    def _write(self) -> None:
        made = Account.objects.bulk_create([account for _, account in self.new])
        AccountIdentifier.objects.bulk_create(
            AccountIdentifier(account=account, source=item.source, external_id=item.external_id)
            for item, account in self.new
        )
        if self.changed:
            # One statement for all rows: they are locked, so every column can be written as it is known here.
            rows = self.changed.values()
            Account.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["id"], update_fields=self._columns()
            )
        self.moved.update(account.pk for account in made)
        self.parents.write({item.key: account.pk for item, account in self.new}, self.at)
        mark_facts(account_ids=self.moved, cause=Cause.DATA, at=self.at)

    def _columns(self) -> list[str]:
        columns = ["attributes", "attribute_keys", "provenance", "source_version", "source_updated_at"]
        columns += ["version", "updated_at"]
        for key, target in self.targets.items():
            columns.append(key)
            columns += [f"{key}_key"] * target.has_key + [f"{key}_observed_at"] * target.is_observed
        return columns


def _differences(item: Item, account: Account) -> set[str]:
    """Keys whose value is another one than the stored."""
    changed = {key for key, value in item.values.items() if getattr(account, key) != value}
    return changed | {key for key, value in item.own.items() if account.attributes.get(key) != value}


def _seen_again(item: Item, account: Account) -> set[str]:
    """Keys of values that a push with `observed_at` confirms later than they were last seen."""
    if item.observed_at is None:
        return set()
    sent = {key for key, value in {**item.values, **item.own}.items() if value is not None}
    return {key for key in sent if _seen_at(account, key) < item.observed_at}


def _seen_at(account: Account, key: str) -> datetime:
    text = account.provenance.get(key, {}).get("at")
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


def _failed(item: Item, pointer: str, code: str, detail: str) -> ItemResult:
    return ItemResult(item.index, errors=[ItemError(pointer, code, detail)])


def _text_key(key: str, value: str | list[str] | None) -> str | list[str] | None:
    if isinstance(value, list):
        return tag_keys(value)
    if key == "name":
        # A key can be longer than its text (ß becomes ss); a name's serves search and order only.
        return (name_key(value or "") or "")[:_NAME_KEY_CHARACTERS]
    return text_key(value) if value else None


def _claim(keys: Iterable[tuple[str, str]]) -> None:
    """Wait until nobody else is making one of these accounts; always in the same order."""
    names = [f"{source}\n{external_id}" for source, external_id in keys]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_advisory_xact_lock(%s, lock)) FROM (SELECT DISTINCT hashtext(name) AS lock"
            " FROM unnest(%s::text[]) AS n(name) ORDER BY 1 OFFSET 0) AS ordered",
            [_LOCK_CLASS, names],
        )


def _versions_compare(item: Item, account: Account) -> bool:
    """Versions count within one source: another one's numbers say nothing about this one's."""
    origin = account.provenance.get("source_version", {}).get("source")
    return item.source_version is not None and account.source_version is not None and origin == item.source


def _is_older(item: Item, account: Account) -> bool:
    if _versions_compare(item, account):
        return bool(item.source_version < account.source_version)  # type: ignore[operator]
    origin = account.provenance.get("source_updated_at", {}).get("source")
    if item.source_updated_at is None or account.source_updated_at is None or origin != item.source:
        return False
    return item.source_updated_at < account.source_updated_at
