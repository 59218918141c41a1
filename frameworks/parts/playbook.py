"""The `playbook` part: what a segment makes the teams do. Its key is that of the segment.

Everything in a playbook is operational: it changes nobody's segment, and somebody's work. Only a summary
is asked for; the checks before sign-off ask for actions.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from frameworks.parts.base import (
    OPERATIONAL,
    SEGMENT_KEY,
    Count,
    Days,
    Label,
    Line,
    Lines,
    Money,
    Number,
    OptionalText,
    PartSchema,
    Piece,
    Share,
    Slug,
    Text,
    distinct_by,
    refused_key,
)


class Coverage(Piece):
    """Planned ratios: how many accounts one person looks after, and what an account may cost a year."""

    accounts_per_ae: Count | None = None
    accounts_per_csm: Count | None = None
    cost_per_account: Money | None = None


class Pod(Piece):
    """How the selling team is built."""

    aes_per_manager: Count | None = None
    composition: OptionalText = ""


class Messages(Piece):
    """The message architecture."""

    primary_pain: OptionalText = ""
    value_proposition: OptionalText = ""
    proof_point: OptionalText = ""
    objections: Lines = []


class Channels(Piece):
    """Where the segment is reached."""

    primary: Lines = []
    secondary: Lines = []


class TechStack(Piece):
    """Tools, and what they cost for one rep and month (a range)."""

    tools: Lines = []
    cost_per_rep_from: Money | None = None
    cost_per_rep_to: Money | None = None


class Compensation(Piece):
    """How reps of the segment are paid; `base_share` of 0.5 is a 50/50 mix, `quota` is a year's."""

    base_share: Share | None = None
    quota: Money | None = None
    accelerator: OptionalText = ""
    kicker: OptionalText = ""
    clawback: OptionalText = ""


class Action(Piece):
    """Something a person in `role` has to do when an account enters the segment, or again and again.

    `due_business_days` count from the entry (or from each recurrence); `every_days` are calendar days.
    """

    identity = "key"

    key: Slug
    title: Line
    role: Slug
    due_business_days: Days
    trigger: Literal["on_entry", "recurring"] = "on_entry"
    every_days: Annotated[int, Field(ge=1, le=3660)] | None = None

    @model_validator(mode="after")
    def _recurs_at_an_interval(self) -> Action:
        if (self.trigger == "recurring") != (self.every_days is not None):
            raise PydanticCustomError("every_days", "A recurring action, and only that, says every how many days.")
        return self


class Target(Piece):
    """A figure the segment is measured by, such as gross retention of at least 90 percent.

    `scope` says what it is measured over, where that is not the segment alone: the two or three highest ranked
    segments together, or all of them.
    """

    identity = "metric"

    metric: Slug
    comparison: Literal["ge", "gt", "le", "lt"]
    value: Number
    unit: Literal["percent", "money", "days", "count"]
    scope: Literal["segment", "top_two", "top_three", "all"] | None = None
    note: OptionalText = ""


class Playbook(PartSchema):
    """How an account of the segment is sold to, marketed to, served, priced and measured."""

    kind: ClassVar[str] = "playbook"

    summary: Annotated[Text, OPERATIONAL]
    owner: Annotated[Label | None, OPERATIONAL] = None
    sales_motion: Annotated[Literal["inbound", "inside", "field"] | None, OPERATIONAL] = None
    marketing_approach: Annotated[OptionalText, OPERATIONAL] = ""
    cs_model: Annotated[Literal["dedicated", "pooled", "digital"] | None, OPERATIONAL] = None
    cadence: Annotated[OptionalText, OPERATIONAL] = ""
    pricing: Annotated[OptionalText, OPERATIONAL] = ""
    offering: Annotated[OptionalText, OPERATIONAL] = ""
    coverage: Annotated[Coverage | None, OPERATIONAL] = None
    pod: Annotated[Pod | None, OPERATIONAL] = None
    messages: Annotated[Messages | None, OPERATIONAL] = None
    channels: Annotated[Channels | None, OPERATIONAL] = None
    tech_stack: Annotated[TechStack | None, OPERATIONAL] = None
    compensation: Annotated[Compensation | None, OPERATIONAL] = None
    training: Annotated[OptionalText, OPERATIONAL] = ""
    icp: Annotated[Lines, OPERATIONAL] = []
    anti_icp: Annotated[Lines, OPERATIONAL] = []
    actions: Annotated[list[Action], AfterValidator(distinct_by("key")), OPERATIONAL] = []
    targets: Annotated[list[Target], AfterValidator(distinct_by("metric")), OPERATIONAL] = []

    def check_key(self, key: str) -> None:
        if not re.fullmatch(SEGMENT_KEY, key):
            raise refused_key(f"A playbook has the key of its segment, like customer_tier/smb, not {key!r}.")
