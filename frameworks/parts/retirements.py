"""Merged, split and retired segments in words, for diffs and the page that asks where a segment goes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from frameworks.parts.dimension import RECONFIRM, Dimension, Retirement
from frameworks.parts.wording import Names, listed


@dataclass(frozen=True)
class RetirementText:
    """One difference of two records of retired segments. `index` is into the new record, or the old if it is gone."""

    index: int
    change: Literal["added", "removed", "changed"]
    old: Retirement | None
    new: Retirement | None
    text: str


def retirement_texts(key: str, old: Dimension, new: Dimension, names: Names) -> Iterator[RetirementText]:
    """What differs between the records of two bodies of the dimension `key`.

    Segments that went into the same successor in one version are told as one merge.
    """
    before = {entry.segment: entry for entry in old.retired}
    after = {entry.segment: entry for entry in new.retired}
    for index, entry in enumerate(old.retired):
        if entry.segment not in after:
            text = f"{names.segment(key, entry.segment)} is no longer recorded as retired"
            yield RetirementText(index, "removed", entry, None, text)
    told: set[tuple[str, ...]] = set()
    for index, entry in enumerate(new.retired):
        if entry.segment not in before:
            together = [each for each in new.retired if each.segment not in before and each.into == entry.into]
            if tuple(entry.into) not in told:
                told.add(tuple(entry.into))
                yield RetirementText(index, "added", None, entry, _told(key, together, old.segments, names))
            elif _how(entry) != _how(together[0]):
                yield RetirementText(index, "added", None, entry, _alone(key, entry, names))
        elif before[entry.segment] != entry:
            text = f"{names.segment(key, entry.segment)}: {_changed(key, before[entry.segment], entry, names)}"
            yield RetirementText(index, "changed", before[entry.segment], entry, text)


def _told(key: str, entries: list[Retirement], before: Collection[str], names: Names) -> str:
    gone = listed(names.segment(key, each.segment) for each in entries)
    into = entries[0].into
    successors = listed(names.segment(key, each) for each in into)
    if len(into) > 1:
        verb = "split into"
    elif len(entries) > 1:
        verb = "merged into"
    else:
        verb = "retired into" if into[0] in before else "became"
    how = f"{_overrides(key, entries[0], names)}{_rules(entries, before)}"
    return f"{gone} {verb} {successors}{how} (“{entries[0].reason}”)"


def _how(entry: Retirement) -> tuple[str | None, str | None, str]:
    return entry.overrides, entry.rules, entry.reason


def _rules(entries: list[Retirement], before: Collection[str]) -> str:
    """Whether successors that were there before take whom the segments took; a new one is made of their rules."""
    if any(short not in before for short in entries[0].into):
        return ""
    whose = "its" if len(entries) == 1 else "their"
    return f", {whose} rules go along" if entries[0].rules else f", {whose} rules do not go along"


def _alone(key: str, entry: Retirement, names: Names) -> str:
    reason = f"{names.segment(key, entry.segment)} went with it"
    return f"{reason}{_overrides(key, entry, names)} (“{entry.reason}”)"


def _overrides(key: str, entry: Retirement, names: Names) -> str:
    if entry.carries_to is None:
        return ", overrides to be reconfirmed"
    return f", overrides carried to {names.segment(key, entry.carries_to)}" if len(entry.into) > 1 else ""


def _changed(key: str, old: Retirement, new: Retirement, names: Names) -> str:
    found = []
    if old.into != new.into:
        was, now = (listed(names.segment(key, each) for each in entry.into) for entry in (old, new))
        found.append(f"goes into {was} → {now}")
    if old.overrides != new.overrides:
        was, now = (_carried(key, entry, names) for entry in (old, new))
        found.append(f"overrides {was} → {now}")
    if old.rules != new.rules:
        found.append("its rules go along now" if new.rules else "its rules do not go along any more")
    if old.reason != new.reason:
        found.append("reason reworded")
    return "; ".join(found)


def _carried(key: str, entry: Retirement, names: Names) -> str:
    return names.segment(key, entry.carries_to) if entry.carries_to else RECONFIRM
