"""What one person is asked to sign in one version: wording, what changed since they signed, who disagrees."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import Any

from django.core.paginator import Page, Paginator

from frameworks.comparison import (
    Difference,
    between,
    bodies_to_read,
    differences,
    digests_at,
    digests_of,
    typed,
)
from frameworks.coverage import Manifest, PartDigests, covered_digest, manifest_under, surroundings_of
from frameworks.document import Document, PartId, RuleText, count_words
from frameworks.models import Contribution, FrameworkVersion, Kind, PartBody, Requirement, Signoff, User
from frameworks.parts.diff import diff_bodies
from frameworks.services.signing import labels_of, statement
from frameworks.standing import IMPACT_SENTENCES, Given, Lapse, RequirementStanding
from frameworks.standing_tally import About, tally_of

CHANGES_SHOWN = 12
ASKED_AGAIN = {
    Lapse.WORDING: "Changed",
    Lapse.HAND: "Whoever signed for you can no longer log in",
    Lapse.AGE: "Time went by",
    Lapse.ROUND: "The impact is asked anew",
    Lapse.FIGURES: "The figures moved",
}
"""What is another, before "since you signed"."""
STANDS = "The impact was computed again after this. The figures are within the tolerance, so the sign-off stands."
ITEMS = 100
"""One page asks for so many at most; the rest follows after these are signed."""
ANSWERED = 30
"""Answers to a sheet of those that can be taken back."""
BLOCK = 500
"""Answers are read in blocks, the newest first, until there are as many as are shown."""


@dataclass
class Item:
    """One point to answer. `before` is the wording this person signed, or saw when the page was opened.

    `since` is when they said Yes, and `lapse` why that no longer counts; `stands` says why it does although the
    figures were computed again.
    """

    standing: RequirementStanding
    label: str
    title: str
    statement: str
    path: str
    seen: str
    wording: str = ""
    before: str = ""
    since: datetime | None = None
    lapse: Lapse | None = None
    stands: str = ""
    is_new: bool = False
    is_stale: bool = False
    variants: Sequence[Any] = ()
    rules: Sequence[RuleText] = ()
    covers: str = ""
    changes: Sequence[str] = ()
    moved: Sequence[str] = ()
    answer: str = ""
    reason: str = ""
    noes: list[Given] = field(default_factory=list)

    @property
    def requirement(self) -> Requirement:
        return self.standing.requirement

    @property
    def pk(self) -> int:
        return self.requirement.pk

    @property
    def digest(self) -> str:
        return self.standing.digest

    @property
    def asked_again(self) -> str:
        """What is another since this person said Yes, as the end of "… since you signed"; empty if they did not."""
        if self.since is None or self.lapse is None:
            return ""
        return ASKED_AGAIN[self.lapse]

    @property
    def is_worded_as_signed(self) -> bool:
        return bool(self.asked_again) and self.lapse != Lapse.WORDING

    @property
    def is_set(self) -> bool:
        return not self.requirement.part_key

    @property
    def is_since_signed(self) -> bool:
        """Whether `changes` are those since this person said Yes, not those since the base version."""
        return self.since is not None and self.lapse == Lapse.WORDING

    @property
    def is_term(self) -> bool:
        return self.requirement.part_kind == Kind.TERM


class SigningPage:
    """The items of one signer, open and answered; `hand` is whoever signs, another one under a delegation."""

    def __init__(
        self, version: FrameworkVersion, user: User, at: datetime, *, hand: User | None = None, sheet: str | None = None
    ) -> None:
        self.version = version
        self._sheet = sheet
        self.user = user
        self.at = at
        self.hand = hand or user
        self.tally = tally_of(version, at)

    @property
    def for_whom(self) -> str:
        """How an address names the person for whom is signed."""
        return str(self.user.uuid)

    @property
    def is_for_another(self) -> bool:
        return self.hand.pk != self.user.pk

    @property
    def impact_digest(self) -> str:
        """The figures that are part of what is signed here; empty where none are asked or recorded."""
        asks = any(item.requirement.includes_impact for item in self.items)
        return self.tally.known.impact.digest if asks else ""

    @cached_property
    def items_left(self) -> int:
        """How many more wait than one page asks."""
        return len(self.waiting) - len(self.items)

    @cached_property
    def waiting(self) -> list[int]:
        """The ids of what this person can still answer: terms first, then the rest in the policy's order."""
        if self.version.state != FrameworkVersion.State.IN_REVIEW and not self.version.awaits_ratification:
            return []
        groups = [each for each in self.tally.groups if any(one.pk == self.user.pk for one in each.one.missing)]
        found = [(each.one.requirement.part_kind != Kind.TERM, pk) for each in groups for pk in each.ids]
        return [pk for _, pk in sorted(found)]

    @cached_property
    def items(self) -> list[Item]:
        return self._items(self._standings(self.waiting[:ITEMS]))

    @cached_property
    def sheet(self) -> Page[Any]:
        """Which of the answers are shown."""
        return Paginator(range(len(self._live)), ANSWERED).get_page(self._sheet)

    @cached_property
    def answered(self) -> list[tuple[Item, Given]]:
        """What this person answered and can take back, the newest first; one sheet."""
        before = max(self.sheet.start_index() - 1, 0)
        found = self._standings(self._answered_last(self.sheet.end_index())[before:])
        # Something may have been taken back since the tally was made.
        pairs = [(each, given) for each in found if (given := each.answer_of(self.user.pk))]
        items = self._items([standing for standing, _ in pairs])
        return [(item, given) for item, (_, given) in zip(items, pairs, strict=True)]

    @property
    def is_answered_by_others(self) -> bool:
        return any(given.hand_id != given.signer_id for _, given in self.answered)

    @cached_property
    def _live(self) -> dict[About, int]:
        """The ids of what this person answered and what still counts, by what it is about."""
        return {
            (each.one.requirement.code, *part): pk
            for each in self.tally.groups
            if each.one.answer_of(self.user.pk)
            for pk, part in zip(each.ids, each.parts, strict=True)
        }

    def _answered_last(self, most: int) -> list[int]:
        """The ids of what this person answered and what still counts, so many, the newest answer first."""
        live = self._live
        decisions = self.tally.known.decisions().filter(principal_id=self.user.pk).order_by("-pk")
        said = decisions.values_list("code", "part_kind", "part_key")
        found: dict[int, None] = {}
        for start in count(0, BLOCK):
            block = list(said[start : start + BLOCK])
            found |= dict.fromkeys(live[about] for about in block if about in live)
            if len(block) < BLOCK or len(found) >= most:
                break
        return list(found)[:most]

    def _standings(self, ids: Sequence[int]) -> list[RequirementStanding]:
        """These requirements, each derived by itself, in the order asked for."""
        found = {each.requirement.pk: each for each in self.tally.known.of(ids)} if ids else {}
        return [found[pk] for pk in ids]

    def _items(self, standings: Sequence[RequirementStanding]) -> list[Item]:
        requirements = [standing.requirement for standing in standings]
        manifest = manifest_under(self.version, requirements)
        labels = labels_of(requirements, manifest)
        items = [self._item(standing, labels[standing.requirement.pk], manifest) for standing in standings]
        self._add_contents(items, self._signed_bodies(standings))
        self._add_changes([item for item in items if item.is_set], manifest)
        return items

    def _item(self, standing: RequirementStanding, label: str, manifest: Manifest) -> Item:
        requirement = standing.requirement
        part: PartId = (requirement.part_kind, requirement.part_key)
        item = Item(
            standing=standing,
            label=label,
            title=requirement.label,
            statement=statement(requirement, label, Signoff.Decision.APPROVE),
            path="/".join(part) if requirement.part_key else "",
            seen=manifest.parts[part].digest if part in manifest.parts else "",
            noes=[given for given in standing.rejections if given.signer_id != self.user.pk],
        )
        given = standing.newest.get(self.user.pk)
        item.since = given.signed_at if given and given.decision == Signoff.Decision.APPROVE else None
        item.lapse = standing.lapses.get(self.user.pk)
        item.stands = STANDS if self.tally.known.impact_stands(standing) else ""
        item.is_new = given is None
        if item.is_set:
            item.moved = self._moved(item, given)
        return item

    def _moved(self, item: Item, given: Given | None) -> Sequence[str]:
        """The figures that are others than this person signed; all of them are on the impact's page."""
        if item.lapse != Lapse.FIGURES or given is None:
            return ()
        return self.tally.known.impact.differences(given.impact_digest)[:IMPACT_SENTENCES]

    def _add_contents(self, items: Sequence[Item], before: Mapping[int, Mapping[str, Any]]) -> None:
        """The wording of what is signed one by one, from as few queries for many as for one."""
        parts = {item.pk: (item.requirement.part_kind, item.requirement.part_key) for item in items if not item.is_set}
        document = Document(bodies_to_read(self.version, parts.values()))
        for item in items:
            if item.pk in parts:
                self._add_content(item, document, parts[item.pk], before.get(item.pk))

    def _add_content(self, item: Item, document: Document, part: PartId, before: Mapping[str, Any] | None) -> None:
        text = document.parts[part]
        item.title, item.rules = document.label_of(*part), text.rules
        if item.is_term:
            item.wording, item.variants = text.schema.wording, text.schema.variants
            item.before = str(before["wording"]) if before else ""
        elif before:
            item.changes = [change.text for change in diff_bodies(*part, before, document.bodies[part])]

    def _add_changes(self, sets: Sequence[Item], manifest: Manifest) -> None:
        """What is in each set, and what of it is another than this person signed, or than the base version says where
        they did not: the first in words, the rest counted."""
        if not sets:
            return
        changed = {}
        for item in sets:
            covered = manifest.covered_by(item.requirement)
            item.covers = count_words(Counter(part.kind for part in covered))
            ids = {part.id for part in covered}
            wanted = item.requirement.kinds
            changed[item.pk] = [
                each
                for each in self._differences_for(item)
                if each.id in ids or (each.change == "removed" and each.kind in wanted and not item.requirement.keys)
            ]
        shown = {each for own in changed.values() for each in own[:CHANGES_SHOWN]}
        words = self._words(shown)
        for item in sets:
            own = changed[item.pk]
            more = [f"and {len(own) - CHANGES_SHOWN} more"] if len(own) > CHANGES_SHOWN else []
            item.changes = [*(words[each] for each in own[:CHANGES_SHOWN]), *more]

    def _differences_for(self, item: Item) -> list[Difference]:
        given = item.standing.newest.get(self.user.pk) if item.is_since_signed else None
        if given is None:
            return self._since_base
        # Two sets signed at one moment differ by the same.
        if given.signed_at not in self._since_signed:
            then = FrameworkVersion.objects.select_related("base_version").get(pk=given.version_id)
            found = between(digests_at(then, given.signed_at), digests_of(self.version))
            self._since_signed[given.signed_at] = found
        return self._since_signed[given.signed_at]

    @cached_property
    def _since_base(self) -> list[Difference]:
        base = self.version.base_version
        return differences(base, self.version) if base else []

    @cached_property
    def _since_signed(self) -> dict[datetime, list[Difference]]:
        """Of each moment at which this person signed something that is asked again."""
        return {}

    def _words(self, shown: set[Difference]) -> dict[Difference, str]:
        """Each difference in words; one part may differ from what was signed and from the base in different ways."""
        words: dict[Difference, str] = {}
        left = set(shown)
        while left:
            once = {each.id: each for each in left}
            texts = {(change.kind, change.key): change.text for change in typed(once.values(), self.version)}
            words |= {each: texts[each.id] for each in once.values()}
            left -= set(once.values())
        return words

    def _signed_bodies(self, standings: Sequence[RequirementStanding]) -> dict[int, Mapping[str, Any]]:
        """The body this person signed last, where it is another than today's: found by its covered digest."""
        wanted = {
            (standing.requirement.part_kind, standing.requirement.part_key): standing
            for standing in standings
            if standing.requirement.part_key
            and (given := standing.newest.get(self.user.pk))
            and given.covered_digest != standing.digest
        }
        if not wanted:
            return {}
        rows = (
            Contribution.objects.filter(
                version__framework_id=self.version.framework_id, key__in=[key for _, key in wanted], body__isnull=False
            )
            .order_by("pk")
            .values_list("kind", "key", "body_id", "body__operational_digest", "body__semantic_digest", "body__body")
        )
        pasts = [(PartDigests(0, *row), body) for *row, body in rows if (row[0], row[1]) in wanted]
        around = surroundings_of(self.version, [past for past, _ in pasts])
        found: dict[int, Mapping[str, Any]] = {}
        for past, body in pasts:
            standing = wanted[past.id]
            manifest = Manifest([*around, past]) if past.kind == Kind.SEGMENT else Manifest([past])
            if covered_digest(standing.requirement, manifest) == standing.newest[self.user.pk].covered_digest:
                found[standing.requirement.pk] = body
        return found

    def mark_stale(self, stale: Mapping[int, str]) -> None:
        """After a conflict: for these items (by id) say what changed since the body with that digest was shown."""
        bodies = dict(PartBody.objects.filter(digest__in=stale.values()).values_list("digest", "body"))
        changed = [item for item in self.items if item.pk in stale]
        for item in changed:
            item.is_stale, item.answer, item.reason = True, "", ""
        before = {item.pk: bodies[stale[item.pk]] for item in changed if stale[item.pk] in bodies}
        self._add_contents([item for item in changed if item.pk in before], before)
