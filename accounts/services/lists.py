"""Account lists: making them, and saying which accounts are on them.

Entries are live rows; who added or removed whom stands in the audit log. Rules may read a list, so a change owes
every account it concerns, and those under it, an evaluation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Func, TextField, Value
from django.db.models.functions import Lower

from accounts import pushed_facts
from accounts.models import Account, AccountIdentifier, Cause, ListEntry
from accounts.models.account import LISTED
from accounts.pushed import ItemError
from accounts.pushed_facts import FactItem
from accounts.services.marking import note_other_facts
from frameworks.errors import InvalidError, NotAllowedError
from frameworks.governed import governed
from frameworks.models import AccountList, User

PERMISSION: Final = "accounts.edit_lists"
Action = Literal["add", "remove", "replace"]


@dataclass
class EntryResult:
    """What became of one named account: added, removed, unchanged or failed."""

    index: int
    status: str = "failed"
    account: Account | None = None
    errors: list[ItemError] = field(default_factory=list)


@dataclass(frozen=True)
class ListChange:
    """Results in the order of the items; `added` and `removed` count entries, also those a replacement took away."""

    results: list[EntryResult]
    added: int
    removed: int
    is_applied: bool = True

    @property
    def failed(self) -> list[EntryResult]:
        return [result for result in self.results if result.status == "failed"]

    @property
    def summary(self) -> dict[str, int]:
        unchanged = sum(result.status == "unchanged" for result in self.results)
        return {"added": self.added, "removed": self.removed, "unchanged": unchanged, "failed": len(self.failed)}


def create_list(*, key: str, label: str, purpose: str, owner: User | None, actor: User, at: datetime) -> AccountList:
    """Raises NotAllowedError; InvalidError for a key that is taken or not made of small letters and digits."""
    _check_may_edit(actor)
    made = AccountList(key=key.strip(), label=label.strip(), purpose=purpose, owner=owner, created_at=at)
    with governed("list.created", actor=actor, target=made, at=at) as act:
        _validate(made)
        made.save()
        act.after = _as_said(made)
    return made


def edit_list(
    *, account_list: AccountList, label: str, purpose: str, owner: User | None, is_live: bool, actor: User, at: datetime
) -> AccountList:
    """Change what a list is called and for. Its key stays: rules name it. Raises NotAllowedError, InvalidError."""
    _check_may_edit(actor)
    with governed("list.edited", actor=actor, target=account_list, at=at) as act:
        stored = AccountList.objects.select_for_update(of=("self",)).get(pk=account_list.pk)
        act.before = _as_said(stored)
        stored.label, stored.purpose, stored.owner, stored.is_live = label.strip(), purpose, owner, is_live
        _validate(stored)
        stored.save()
        act.after = _as_said(stored)
    return stored


def change_list_entries(
    *,
    account_list: AccountList,
    action: Action,
    items: Sequence[Any],
    actor: User | None,
    at: datetime,
    all_or_none: bool = False,
) -> ListChange:
    """Add, remove or replace entries; each item names an account by {id}, {source, external_id}, {domain} or {name}.

    Items that name no account, or several, are failed and reported; the others are done, unless `all_or_none`.
    A replacement takes away every entry no item names. Nothing is written, nor audited, when nothing changes.
    `actor` None is the system (a shell on the server). Raises NotAllowedError; InvalidError for a list that is
    not live and would grow.
    """
    if actor is not None:
        _check_may_edit(actor)
    if action != "remove" and not account_list.is_live:
        raise InvalidError(["This list is not used any more and takes no new entries."])
    with transaction.atomic():
        AccountList.objects.select_for_update(of=("self",)).get(pk=account_list.pk)
        results = _judged(items)
        if all_or_none and any(result.account is None for result in results):
            return ListChange(results, added=0, removed=0, is_applied=False)
        stored = set(ListEntry.objects.filter(list=account_list).values_list("account_id", flat=True))
        named = {result.account.pk for result in results if result.account is not None}
        new = set() if action == "remove" else named - stored
        gone = {"add": set(), "remove": named & stored, "replace": stored - named}[action]
        if new or gone:
            with governed("list.entries_changed", actor=actor, target=account_list, at=at) as act:
                _write(account_list, new, gone, actor, at)
                act.after = {"added": _uuids(new), "removed": _uuids(gone)}
    for result in results:
        if result.account is not None:
            pk = result.account.pk
            result.status = "added" if pk in new else "removed" if pk in gone else "unchanged"
    return ListChange(results, added=len(new), removed=len(gone))


def _check_may_edit(actor: User) -> None:
    if not actor.is_active or not actor.has_perm(PERMISSION):
        raise NotAllowedError("Editing account lists needs the permission to edit account lists.")


def _validate(account_list: AccountList) -> None:
    try:
        account_list.full_clean()
    except ValidationError as error:
        raise InvalidError([message for messages in error.message_dict.values() for message in messages]) from error


def _as_said(account_list: AccountList) -> dict[str, Any]:
    return {
        "key": account_list.key,
        "label": account_list.label,
        "purpose": account_list.purpose,
        "owner": account_list.owner.name if account_list.owner else "",
        "is_live": account_list.is_live,
    }


def _write(account_list: AccountList, new: set[int], gone: set[int], actor: User | None, at: datetime) -> None:
    # First the accounts, in the order of their ids, as everybody locks them.
    note_other_facts(account_ids=new | gone, cause=Cause.LIST, at=at)
    ListEntry.objects.filter(list=account_list, account__in=gone).delete()
    ListEntry.objects.bulk_create(
        [ListEntry(list=account_list, account_id=pk, added_by=actor, added_at=at) for pk in sorted(new)],
        batch_size=5000,
    )


def _uuids(pks: set[int]) -> list[str]:
    return [str(uuid) for uuid in Account.objects.filter(pk__in=pks).order_by("pk").values_list("uuid", flat=True)]


# --- which account an item names


def _judged(items: Sequence[Any]) -> list[EntryResult]:
    read = [pushed_facts.read_item(index, data, pushed_facts.ENTRY_READERS, ()) for index, data in enumerate(items)]
    for item in read:
        pushed_facts.check_entry(item)
    good = [item for item in read if not item.errors]
    found = {
        "id": _by_id({item.values["id"] for item in good if "id" in item.values}),
        "external_id": _by_identifier([item.account for item in good if "external_id" in item.values]),
        "domain": _by_domain({item.values["domain"] for item in good if "domain" in item.values}),
        "name": _by_name({item.values["name"] for item in good if "name" in item.values}),
    }
    return [_result(item, found) for item in read]


def _result(item: FactItem, found: dict[str, dict[Any, list[Account]]]) -> EntryResult:
    if not item.errors:
        way = next(way for way in found if way in item.values)
        accounts = found[way].get(item.account if way == "external_id" else item.values[way], [])
        if len(accounts) == 1:
            return EntryResult(item.index, "unchanged", accounts[0])
        if accounts:
            item.refuse(f"/{way}", "ambiguous", f"{len(accounts)} accounts are called so.")
        else:
            item.refuse(f"/{way}", "unknown_account", "No account is called so.")
    return EntryResult(item.index, errors=item.errors)


def _by_id(uuids: set[UUID]) -> dict[Any, list[Account]]:
    return {row.uuid: [row] for row in Account.objects.filter(LISTED, uuid__in=uuids)}


def _by_identifier(keys: list[tuple[str, str]]) -> dict[Any, list[Account]]:
    wanted = set(keys)
    rows = AccountIdentifier.objects.filter(
        source__in={source for source, _ in keys}, external_id__in={external_id for _, external_id in keys}
    )
    listed = rows.filter(account__in=Account.objects.filter(LISTED)).select_related("account")
    return {key: [row.account] for row in listed if (key := (row.source, row.external_id)) in wanted}


def _by_domain(domains: set[str]) -> dict[Any, list[Account]]:
    compared = Func(Lower("domain"), Value(r"^www\."), Value(""), function="regexp_replace", output_field=TextField())
    rows = Account.objects.filter(LISTED).exclude(domain="").annotate(compared=compared)
    return _grouped((row.compared, row) for row in rows.filter(compared__in=domains)) if domains else {}


def _by_name(names: set[str]) -> dict[Any, list[Account]]:
    return _grouped((row.name_key, row) for row in Account.objects.filter(LISTED, name_key__in=names))


def _grouped(pairs: Iterable[tuple[Any, Account]]) -> dict[Any, list[Account]]:
    found: dict[Any, list[Account]] = {}
    for key, account in pairs:
        found.setdefault(key, []).append(account)
    return found
