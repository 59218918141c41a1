"""Setting parents: circles are refused with their path, `ultimate_parent` follows, and everything under is marked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.intake.hierarchy import keep_ultimate_parents, steps_above
from accounts.models import Account, Cause
from accounts.pushed import Item, ItemError
from accounts.services.identifying import identified
from accounts.services.marking import note_other_facts

Node = int | tuple[str, str]
"""An account by its key, or one about to be made by source and external id."""


class Circles:
    """Which wishes for parents would close a circle, judged one after the other: the one that closes it is refused."""

    def __init__(self, account_ids: Sequence[int]) -> None:
        """`account_ids` are the accounts, among those that exist, that anybody wants as a parent or for one."""
        self._above: dict[Any, Any] = dict(steps_above(account_ids))

    def closed_by(self, child: Node, parent: Node) -> list[Node]:
        """The way from `child` over `parent` back to it; empty when there is none, and the wish is taken."""
        way: list[Node] = [child]
        node: Node | None = parent
        while node is not None and node not in way:
            way.append(node)
            node = self._above.get(node)
        if node == child:
            return [*way, child]
        self._above[child] = parent
        return []

    def freed(self, child: Node) -> None:
        """The account is to have no parent."""
        self._above.pop(child, None)


class ParentsWanted:
    """The parents that the items of one push ask for; one made earlier in the same push may be a parent, too."""

    def __init__(self, items: Sequence[Item], known: Mapping[tuple[str, str], int]) -> None:
        """`known` are the accounts of the items that exist, by what their source calls them."""
        wanted = [item.parent for item in items if item.parent]
        self._known = {**known, **identified(key for key in wanted if key not in known)}
        self._circles = Circles([*known.values(), *self._known.values()] if wanted else [])
        self._wanted: dict[Node, Node | None] = {}
        self._new: set[tuple[str, str]] = set()

    def refusal(self, item: Item) -> ItemError | None:
        """Why the item cannot have the parent it asks for; None: it will have it. Asked when all else is fine."""
        child = self._node(item.key)
        if item.has_parent and item.parent is not None:
            parent = self._node(item.parent)
            if isinstance(parent, tuple) and parent not in self._new:
                return ItemError("/parent", "unknown_parent", "No account has this id.", list(item.parent))
            if circle := self._circles.closed_by(child, parent):
                return ItemError("/parent", "cycle", f"The account would stand above itself: {_in_words(circle)}.")
            self._wanted[child] = parent
        elif item.has_parent:
            self._circles.freed(child)
            self._wanted[child] = None
        if isinstance(child, tuple):
            self._new.add(child)
        return None

    def changes(self, item: Item, account: Account) -> set[str]:
        """{"parent"} when an account that exists gets another one."""
        return {"parent"} if item.has_parent and self._wanted[account.pk] != account.parent_id else set()

    def write(self, made: Mapping[tuple[str, str], int], at: datetime) -> None:
        """`made` are the accounts this push has made."""
        keys = {child: made[child] if isinstance(child, tuple) else child for child in self._wanted}
        parents = {
            keys[child]: made[parent] if isinstance(parent, tuple) else parent for child, parent in self._wanted.items()
        }
        if parents:
            write_parents(parents=parents, at=at)

    def _node(self, key: tuple[str, str]) -> Node:
        return self._known.get(key, key)


def _in_words(circle: Sequence[Node]) -> str:
    stored = [node for node in circle if isinstance(node, int)]
    names = dict(Account.objects.filter(pk__in=stored).values_list("pk", "name"))
    return " → ".join(names[node] if isinstance(node, int) else node[1] for node in circle)


def write_parents(*, parents: Mapping[int, int | None], at: datetime) -> None:
    """Set the parents (account → parent, both by key; no circles) and keep `ultimate_parent`.

    Accounts whose ultimate parent changes by it, other than those named, get a new version and are marked: the
    caller has the named ones locked and sees to their version and mark.
    """
    rows = Account.objects.filter(pk__in=list(parents)).only("pk", "parent")
    for row in rows:
        row.parent_id = parents[row.pk]
    Account.objects.bulk_update(rows, ["parent"])
    moved = set(keep_ultimate_parents(parents)) - set(parents)
    note_other_facts(account_ids=moved, cause=Cause.DATA, at=at)
