"""Policies in force that a draft takes out: like a change of one, a removal needs a second person's word."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from frameworks.models import Confirmation, Contribution, FrameworkVersion, Kind, User
from frameworks.parts.naming import own_label, phrased


@dataclass(frozen=True)
class RemovedPolicy:
    """A policy of the base version that the draft does not have; `digest` is the body that leaves.

    `removed_by` are the ids of everybody who took it out of this draft or of another one, `since` when it was taken
    out of this one last, and `taken_out_by` the name of who did: what was said of an earlier removal is not said of
    this one.
    """

    key: str
    digest: str
    removed_by: frozenset[int]
    taken_out_by: str
    since: datetime
    is_confirmed: bool

    @property
    def title(self) -> str:
        return own_label(Kind.POLICY, self.key)

    @property
    def phrase(self) -> str:
        return phrased(Kind.POLICY, self.title)

    def was_removed_by(self, user: User) -> bool:
        return user.pk in self.removed_by


def removed_policies(version: FrameworkVersion) -> list[RemovedPolicy]:
    """What left, by key. One query for a version that keeps its policies, three otherwise."""
    if version.base_version_id is None:
        return []
    kept = version.parts.filter(kind=Kind.POLICY).values("key")
    before = FrameworkVersion(pk=version.base_version_id).parts.filter(kind=Kind.POLICY).exclude(key__in=kept)
    gone = dict(before.order_by("key").values_list("key", "body_id"))
    if not gone:
        return []
    removals, said = list(_removals(version, gone)), list(_said_of_removals(version, gone))
    return [_removed(version, key, digest, removals, said) for key, digest in gone.items()]


def to_be_confirmed(version: FrameworkVersion) -> list[RemovedPolicy]:
    """Removals that no second person has confirmed yet."""
    return [each for each in removed_policies(version) if not each.is_confirmed]


def _removals(version: FrameworkVersion, gone: Iterable[str]) -> Iterable[Contribution]:
    drafts = Q(version__framework=version.framework_id, version__state=FrameworkVersion.State.DRAFT)
    rows = Contribution.objects.filter(Q(version=version) | drafts, kind=Kind.POLICY, key__in=gone, body=None)
    return rows.select_related("contributed_by").order_by("pk")


def _said_of_removals(version: FrameworkVersion, gone: Iterable[str]) -> Iterable[Confirmation]:
    return Confirmation.objects.filter(
        framework=version.framework_id, kind=Kind.POLICY, key__in=gone, state=Confirmation.State.REMOVED
    )


def _removed(
    version: FrameworkVersion,
    key: str,
    digest: str,
    removals: Iterable[Contribution],
    said: Iterable[Confirmation],
) -> RemovedPolicy:
    # A draft that goes back to a version without the policy has nobody's contribution: its author took it out.
    by = {each.contributed_by_id for each in removals if each.key == key} or {version.author_id}
    here = [each for each in removals if (each.key, each.version_id) == (key, version.pk)]
    since = here[-1].contributed_at if here else version.created_at
    name = here[-1].contributed_by.name if here else version.author.name
    is_confirmed = any(
        (each.key, each.body_id) == (key, digest) and each.confirmed_by_id not in by and each.confirmed_at >= since
        for each in said
    )
    return RemovedPolicy(key, digest, frozenset(by), name, since, is_confirmed)
