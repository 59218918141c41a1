"""What one person is asked to sign in one version: wording, what changed since they signed, who disagrees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from frameworks.coverage import Manifest, PartDigests, covered_digest
from frameworks.definition import bodies_of
from frameworks.document import Document, PartId, RuleText, count_words
from frameworks.models import Contribution, FrameworkVersion, Kind, PartBody, Requirement, Signoff, User
from frameworks.parts.diff import PartChange, diff_bodies, diff_parts
from frameworks.services.signing import labels_of, statement
from frameworks.standing import IMPACT_SENTENCES, Given, Lapse, RequirementStanding, Standings

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
    def is_term(self) -> bool:
        return self.requirement.part_kind == Kind.TERM


class SigningPage:
    """The items of one signer, open and answered; `hand` is whoever signs, another one under a delegation."""

    def __init__(self, version: FrameworkVersion, user: User, at: datetime, *, hand: User | None = None) -> None:
        self.version = version
        self.user = user
        self.at = at
        self.hand = hand or user
        self.standings_of = Standings(version, at)
        self.manifest: Manifest = self.standings_of.manifest

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
        return self.standings_of.impact.digest if asks else ""

    @cached_property
    def document(self) -> Document:
        return Document(bodies_of(self.version))

    @cached_property
    def items_left(self) -> int:
        """How many more wait than one page asks."""
        return len(self.waiting) - len(self.items)

    @cached_property
    def standings(self) -> list[RequirementStanding]:
        """Every requirement whose signers include this person."""
        pools = self.standings_of.pools
        return [each for each in self.standings_of.all() if self.user.pk in pools[each.requirement.code]]

    @cached_property
    def waiting(self) -> list[RequirementStanding]:
        """What this person can still answer: terms first, then the rest in the policy's order."""
        if self.version.state != FrameworkVersion.State.IN_REVIEW and not self.version.awaits_ratification:
            return []
        found = [each for each in self.standings if any(person.pk == self.user.pk for person in each.missing)]
        return sorted(found, key=lambda each: each.requirement.part_kind != Kind.TERM)

    @cached_property
    def items(self) -> list[Item]:
        return self._items(self.waiting[:ITEMS])

    @cached_property
    def answered(self) -> list[tuple[Item, Given]]:
        """What this person answered and can take back, the newest first."""
        pairs = [(each, given) for each in self.standings if (given := each.answer_of(self.user.pk))]
        pairs = sorted(pairs, key=lambda pair: pair[1].pk, reverse=True)[:ITEMS]
        items = self._items([standing for standing, _ in pairs])
        return [(item, given) for item, (_, given) in zip(items, pairs, strict=True)]

    def _items(self, standings: Sequence[RequirementStanding]) -> list[Item]:
        labels = labels_of([standing.requirement for standing in standings], self.manifest)
        earlier = self._signed_bodies(standings)
        return [self._item(standing, labels[standing.requirement.pk], earlier) for standing in standings]

    def _item(self, standing: RequirementStanding, label: str, earlier: Mapping[int, Mapping[str, Any]]) -> Item:
        requirement = standing.requirement
        part: PartId = (requirement.part_kind, requirement.part_key)
        item = Item(
            standing=standing,
            label=label,
            title=requirement.label,
            statement=statement(requirement, label, Signoff.Decision.APPROVE),
            path="/".join(part) if requirement.part_key else "",
            seen=self.manifest.parts[part].digest if part in self.manifest.parts else "",
            noes=[given for given in standing.rejections if given.signer_id != self.user.pk],
        )
        given = standing.newest.get(self.user.pk)
        item.since = given.signed_at if given and given.decision == Signoff.Decision.APPROVE else None
        item.lapse = standing.lapses.get(self.user.pk)
        item.stands = STANDS if self.standings_of.impact_stands(standing) else ""
        item.is_new = given is None
        if not requirement.part_key:
            item.covers, item.changes = self._covers(requirement), self._changes_under(requirement)
            item.moved = self._moved(item, given)
            return item
        self._add_content(item, part, earlier.get(requirement.pk))
        return item

    def _moved(self, item: Item, given: Given | None) -> Sequence[str]:
        """The figures that are others than this person signed; all of them are on the impact's page."""
        if item.lapse != Lapse.FIGURES or given is None:
            return ()
        return self.standings_of.impact.differences(given.impact_digest)[:IMPACT_SENTENCES]

    def _add_content(self, item: Item, part: PartId, before: Mapping[str, Any] | None) -> None:
        text = self.document.parts[part]
        item.title, item.rules = self.document.label_of(*part), text.rules
        if item.is_term:
            item.wording, item.variants = text.schema.wording, text.schema.variants
            item.before = str(before["wording"]) if before else ""
        elif before:
            item.changes = [change.text for change in diff_bodies(*part, before, self.document.bodies[part])]

    def _covers(self, requirement: Requirement) -> str:
        counts: dict[str, int] = {}
        for part in self.manifest.covered_by(requirement):
            counts[part.kind] = counts.get(part.kind, 0) + 1
        return count_words(counts)

    @cached_property
    def _changes_since_base(self) -> list[PartChange]:
        base = self.version.base_version
        return diff_parts(bodies_of(base), self.document.bodies) if base else []

    def _changes_under(self, requirement: Requirement) -> list[str]:
        covered = {part.id for part in self.manifest.covered_by(requirement)}
        found = [change.text for change in self._changes_since_base if (change.kind, change.key) in covered]
        more = [f"and {len(found) - CHANGES_SHOWN} more"] if len(found) > CHANGES_SHOWN else []
        return [*found[:CHANGES_SHOWN], *more]

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
        found: dict[int, Mapping[str, Any]] = {}
        for kind, key, digest, operational, semantic, body in rows:
            standing = wanted.get((kind, key))
            if standing is None:
                continue
            past = PartDigests(0, kind, key, digest, operational, semantic)
            given = standing.newest[self.user.pk]
            if self._digest_with(standing.requirement, past) == given.covered_digest:
                found[standing.requirement.pk] = body
        return found

    def _digest_with(self, requirement: Requirement, past: PartDigests) -> str:
        others = (part for part in self.manifest.parts.values() if part.id != past.id)
        return covered_digest(requirement, Manifest([*others, past]))

    def mark_stale(self, stale: Mapping[int, str]) -> None:
        """After a conflict: for these items (by id) say what changed since the body with that digest was shown."""
        bodies = dict(PartBody.objects.filter(digest__in=stale.values()).values_list("digest", "body"))
        for item in self.items:
            if item.pk not in stale:
                continue
            item.is_stale, item.answer, item.reason = True, "", ""
            before = bodies.get(stale[item.pk])
            if before is not None and item.requirement.part_key:
                part = (item.requirement.part_kind, item.requirement.part_key)
                self._add_content(item, part, before)
