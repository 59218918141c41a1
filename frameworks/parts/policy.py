"""The `policy` parts: who must sign, what stops a run, how large a framework may grow, who may deviate.

Each policy has its own schema; the body says which in `policy`, and the part's key is the same word.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    COSMETIC,
    OPERATIONAL,
    SEMANTIC,
    Count,
    Days,
    Email,
    Label,
    Level,
    Money,
    PartKind,
    PartSchema,
    Piece,
    SegmentKey,
    Share,
    Slug,
    distinct,
    distinct_by,
    refused_key,
)


class Policy(PartSchema):
    """What the four policies share: the word that names the policy is also the part's key."""

    kind: ClassVar[str] = "policy"

    policy: str

    def check_key(self, key: str) -> None:
        if key != self.policy:
            raise refused_key(f"The policy {self.policy!r} is kept under that key, not {key!r}.")


class Pool(Piece):
    """Who may meet a requirement: everyone in a role, or named people (by e-mail address)."""

    role: Slug | None = None
    people: Annotated[list[Email], AfterValidator(distinct)] = []

    @model_validator(mode="after")
    def _one_of_both(self) -> Pool:
        if (self.role is None) == (not self.people):
            raise PydanticCustomError("pool", "Name either a role or people, and not both.")
        return self


def _minimum(value: object) -> object:
    if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise PydanticCustomError("minimum", 'Write a number of people from 1 up, or "all".')


class Requirement(Piece):
    """One line of the sign-off policy.

    `keys` empty means every part of `kinds`. `per` part: each covered part is signed by itself; set: all
    covered parts in one signature. `minimum` "all" means everyone who is in the pool when the version is
    submitted. A signature older than `freshness_days` no longer counts at activation; the active version
    is signed again every `recertify_days`. `dissent_role`, for definitions only and off unless named: people in that
    role may approve a definition over a No that stands; the No stays in every document.
    """

    identity = "code"

    code: Slug
    label: Annotated[Label, COSMETIC]
    kinds: Annotated[list[PartKind], Field(min_length=1), AfterValidator(distinct)]
    keys: Annotated[list[str], AfterValidator(distinct)] = []
    per: Literal["part", "set"]
    level: Annotated[Level, Field(strict=False)] = Level.SEMANTIC
    minimum: Annotated[int | Literal["all"], BeforeValidator(_minimum)] = "all"
    pool: Pool
    include_impact: bool = False
    freshness_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    recertify_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    counts_contributors: bool = False
    dissent_role: Slug | None = None

    @model_validator(mode="after")
    def _dissent_is_about_definitions(self) -> Requirement:
        if self.dissent_role is not None and (self.kinds != ["term"] or self.per != "part"):
            raise PydanticCustomError(
                "dissent_role", "Only definitions, each signed by itself, can be approved over dissent."
            )
        return self

    def covers(self, kind: str, key: str) -> bool:
        """Whether the part (kind, key) needs a signature under this requirement."""
        return kind in self.kinds and (not self.keys or key in self.keys)


ReviewDays = Annotated[int, Field(ge=1, le=60)]


class SignoffPolicy(Policy):
    """The ordered sign-off requirements of a version.

    `review_days` is how many business days signers have: 10, unless said.
    """

    policy: Annotated[Literal["signoff"], SEMANTIC] = "signoff"
    requirements: Annotated[list[Requirement], Field(min_length=1), AfterValidator(distinct_by("code")), SEMANTIC]
    review_days: Annotated[ReviewDays | None, OPERATIONAL] = None


class GuardPolicy(Policy):
    """What holds a run before it changes anything.

    All figures are shares: from 0 to 1 in files and by API, in percent in forms.
    `max_share_moved`: accounts of a dimension that change segment. `max_segment_change`: growth or shrinkage
    of one segment. `max_unassigned`: Unassigned plus fallback. `max_dominance` holds and `warn_dominance`
    warns when one segment has more of the accounts, unless `expectations` signs a higher share for that
    segment. `impact_tolerance`: how far a segment may be from its signed figures at activation.
    """

    policy: Annotated[Literal["guard"], SEMANTIC] = "guard"
    max_share_moved: Annotated[Share, SEMANTIC]
    max_segment_change: Annotated[Share, SEMANTIC]
    max_unassigned: Annotated[Share, SEMANTIC]
    max_dominance: Annotated[Share, SEMANTIC]
    warn_dominance: Annotated[Share, SEMANTIC]
    impact_tolerance: Annotated[Share, SEMANTIC] = Decimal("0.02")
    expectations: Annotated[dict[SegmentKey, Share], SEMANTIC] = {}

    @model_validator(mode="after")
    def _warns_before_it_holds(self) -> GuardPolicy:
        if self.warn_dominance > self.max_dominance:
            raise PydanticCustomError("dominance", "The warning must not lie above the limit.")
        return self


class LimitsPolicy(Policy):
    """How large a framework may grow before it is warned about; never a refusal."""

    policy: Annotated[Literal["limits"], SEMANTIC] = "limits"
    max_dimensions: Annotated[Count, SEMANTIC]
    max_segments_per_dimension: Annotated[Count, SEMANTIC]
    max_segments_in_all: Annotated[Count, SEMANTIC]
    warn_segment_accounts: Annotated[Count, SEMANTIC]
    min_segment_accounts: Annotated[Count, SEMANTIC]
    min_populated: Annotated[Share, SEMANTIC]

    @model_validator(mode="after")
    def _warns_before_it_is_too_small(self) -> LimitsPolicy:
        if self.warn_segment_accounts < self.min_segment_accounts:
            raise PydanticCustomError("segment_accounts", "The warning must not lie under the minimum.")
        return self


# Twelve months at most, whatever a company's policy says; 366 so that a year over a leap day is one.
OverrideDays = Annotated[int, Field(ge=1, le=366)]


def _some_reason(reasons: dict[str, Any]) -> dict[str, Any]:
    if not reasons:
        raise PydanticCustomError("reasons", "Name at least one reason code.")
    return reasons


class OverridesPolicy(Policy):
    """How long an override may last by reason code, when two people decide, and when its owner is warned.

    `arr_two_person_over` is money in the framework's currency; `warn_days` are days before the end.
    `review_business_days` is how long a held move may wait for a person: 5, unless said.
    """

    policy: Annotated[Literal["overrides"], SEMANTIC] = "overrides"
    max_days_by_reason: Annotated[dict[Slug, OverrideDays], AfterValidator(_some_reason), SEMANTIC]
    arr_two_person_over: Annotated[Money, SEMANTIC]
    min_reason_characters: Annotated[int, Field(ge=15, le=1000), SEMANTIC] = 15
    warn_days: Annotated[list[Days], AfterValidator(distinct), SEMANTIC] = [14, 3, 0]
    review_business_days: Annotated[ReviewDays | None, SEMANTIC] = None


POLICIES: dict[str, type[Policy]] = {
    "signoff": SignoffPolicy,
    "guard": GuardPolicy,
    "limits": LimitsPolicy,
    "overrides": OverridesPolicy,
}
