"""Scripts that say everything the product says: segment, rule, reason, what was missing, who else was true.

What somebody would write who wants the same rows without the product: three truth values, overrides and exclusions,
in a loop of Python over rows, or in polars over columns. Both must write exactly the product's rows.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from governance.benchmark.engines.rules import ALONE, ATTRIBUTES, CAUTIOUS, FALLBACKS, Condition, Rules, dimensions

Facts = dict[str, Any]
Verdict = bool | None
Said = tuple[str | None, str, str, list[str], list[str]]
"""Segment, reason, "segment/rule", missing attributes, segments that were true as well."""

_COMPARE = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt, "eq": operator.eq}


# --- a loop in Python


class PythonScript:
    """Decides one account after the other."""

    def __init__(self, cutline: int) -> None:
        self.rules = {
            key: [(rule.partition("/")[0], rule, _judge(condition), _lacks(condition)) for rule, condition in rules]
            for key, rules in dimensions(cutline).items()
        }

    def decide(self, facts: Facts, overridden: Mapping[str, str]) -> dict[str, Said]:
        """What is said in each dimension; `overridden` has the segment keys that stand instead."""
        found: dict[str, Said] = {}
        for dimension, rules in self.rules.items():
            said = found[dimension] = self._said(dimension, rules, facts)
            facts[dimension] = overridden.get(dimension, said[0])
        return found

    def _said(self, dimension: str, rules: Sequence[Any], facts: Facts) -> Said:
        verdicts = [judge(facts) for _, _, judge, _ in rules]
        true = [place for place, verdict in enumerate(verdicts) if verdict]
        if dimension == ALONE and len(true) > 1:
            return None, "conflict", "", [], [rules[place][0] for place in true]
        open_ = self._open(dimension, rules, verdicts, true)
        missing = sorted(set().union(*(rules[place][3](facts) for place in open_)))
        if not true or (open_ and dimension == CAUTIOUS):
            if open_:
                return None, "missing_data", "", missing, []
            fallback = FALLBACKS.get(dimension)
            return fallback, "fallback" if fallback else "no_match", "", [], []
        segment, rule, *_ = rules[true[0]]
        losers = dict.fromkeys(rules[place][0] for place in true if rules[place][0] != segment)
        return segment, "provisional" if open_ else "matched", rule, missing, _ranked(losers, rules)

    @staticmethod
    def _open(dimension: str, rules: Sequence[Any], verdicts: Sequence[Verdict], true: Sequence[int]) -> list[int]:
        """The unknown rules that could still decide."""
        unknown = [place for place, verdict in enumerate(verdicts) if verdict is None]
        if not true or dimension == ALONE:
            return unknown
        return [place for place in unknown if place < true[0] and rules[place][0] != rules[true[0]][0]]


def _ranked(segments: Mapping[str, None], rules: Sequence[Any]) -> list[str]:
    order = list(dict.fromkeys(rule[0] for rule in rules))
    return sorted(segments, key=order.index)


def _judge(condition: Condition) -> Callable[[Facts], Verdict]:
    if condition[0] in ("all", "any"):
        tests, decisive = [_judge(item) for item in condition[1]], condition[0] == "any"

        def group(facts: Facts) -> Verdict:
            result: Verdict = not decisive
            for test in tests:
                verdict = test(facts)
                if verdict is decisive:
                    return decisive
                if verdict is None:
                    result = None
            return result

        return group
    field, name, value = condition
    if name == "in":
        values = frozenset(value)
        return lambda facts: None if facts[field] is None else facts[field] in values
    if name == "true":
        return lambda facts: facts[field]
    compare = _COMPARE[name]
    return lambda facts: None if facts[field] is None else compare(facts[field], value)


def _lacks(condition: Condition) -> Callable[[Facts], set[str]]:
    """The attributes for which a condition is unknown."""
    if condition[0] in ("all", "any"):
        items = [(_judge(item), _lacks(item)) for item in condition[1]]
        return lambda facts: set().union(*(lacks(facts) for judge, lacks in items if judge(facts) is None))
    field, name = condition[0], ATTRIBUTES[condition[0]]
    return lambda facts: {name} if facts[field] is None else set()


# --- polars: whole columns at once


def polars_script(cutline: int) -> Callable[[Any], dict[str, Any]]:
    """From a frame with the fields, `gone` and `over_<dimension>` (a segment key or null) to a frame a dimension.

    Each has computed, effective, reason, rule, and missing and losers as texts of PostgreSQL's arrays.
    """
    import polars as pl

    def place(frame: Any) -> dict[str, Any]:
        placed = {}
        for dimension, rules in dimensions(cutline).items():
            tests = frame.select("id", "gone", f"over_{dimension}", *FIELDS_OF[dimension]).with_columns(
                **{f"t{n}": _expression(condition) for n, (_, condition) in enumerate(rules)}
            )
            said = _columns(tests, dimension, rules)
            frame = frame.with_columns(said["effective"].alias(dimension))
            placed[dimension] = said
        return placed

    def _columns(tests: Any, dimension: str, rules: Rules) -> Any:
        columns = PolarsColumns(dimension, rules)
        steps = tests.with_columns(first=columns.first()).with_columns(is_open=columns.is_open())
        said = steps.with_columns(reason=columns.reason()).with_columns(
            computed=columns.computed(), rule=columns.rule(), missing=columns.missing(), losers=columns.losers()
        )
        stands = pl.when(~pl.col("gone")).then(pl.coalesce(f"over_{dimension}", "computed"))
        return said.with_columns(effective=stands)

    return place


FIELDS_OF = {
    "engagement": ("since_activity", "health"),
    "industry": ("industry",),
    "lifecycle": ("stage", "since_start", "until_end", "expansion"),
    "tier": ("arr", "employees", "engagement"),
}


class PolarsColumns:
    """The columns of one dimension, as expressions over the verdicts t0, t1 … of its rules."""

    def __init__(self, dimension: str, rules: Rules) -> None:
        import polars as pl

        self.pl = pl
        self.dimension = dimension
        self.rules = rules
        self.segments = [rule.partition("/")[0] for rule, _ in rules]
        self.tests = [pl.col(f"t{n}") for n in range(len(rules))]

    def first(self) -> Any:
        """The place of the first true rule; null where there is none."""
        return self._by_first(list(range(len(self.rules))), self.tests)

    def is_open(self) -> Any:
        """Whether an unknown rule could still decide."""
        anything = self.pl.any_horizontal([test.is_null() for test in self.tests])
        if self.dimension == ALONE:
            return anything
        found = anything
        for n in reversed(range(len(self.rules))):
            above = [self.tests[m].is_null() for m in range(n) if self.segments[m] != self.segments[n]]
            decided = self.pl.any_horizontal(above) if above else self.pl.lit(value=False)
            found = self.pl.when(self.pl.col("first") == n).then(decided).otherwise(found)
        return found

    def reason(self) -> Any:
        pl, first, is_open = self.pl, self.pl.col("first"), self.pl.col("is_open")
        none = pl.lit("fallback" if self.dimension in FALLBACKS else "no_match")
        undecided = is_open if self.dimension == CAUTIOUS else is_open & first.is_null()
        said = pl.when(pl.col("gone")).then(pl.lit("excluded"))
        if self.dimension == ALONE:
            said = said.when(self._count() > 1).then(pl.lit("conflict"))
        said = said.when(undecided).then(pl.lit("missing_data")).when(first.is_null()).then(none)
        return said.when(is_open).then(pl.lit("provisional")).otherwise(pl.lit("matched"))

    def computed(self) -> Any:
        found = self._by_place(self.segments)
        if self.dimension in FALLBACKS:
            found = self.pl.when(self._says("fallback")).then(self.pl.lit(FALLBACKS[self.dimension])).otherwise(found)
        return found

    def rule(self) -> Any:
        return self._by_place([rule for rule, _ in self.rules]).fill_null("")

    def missing(self) -> Any:
        names = sorted({ATTRIBUTES[field] for _, rule in self.rules for field in _fields(rule)})
        flags = {name: self.pl.any_horizontal(list(self._lacking(name))) for name in names}
        return self._array(flags, self._says("provisional", "missing_data"))

    def losers(self) -> Any:
        order = list(dict.fromkeys(self.segments))
        first = self._by_place(self.segments)
        flags = {}
        for segment in order:
            true = [test for test, of in zip(self.tests, self.segments, strict=True) if of == segment]
            flags[segment] = self.pl.any_horizontal(true) & (first != segment).fill_null(value=True)
        return self._array(flags, self._says("matched", "provisional", "conflict"))

    def _lacking(self, name: str) -> Any:
        for n, (_, condition) in enumerate(self.rules):
            unknown = self.tests[n].is_null()
            if self.dimension != ALONE:
                below = [m for m in range(n + 1, len(self.rules)) if self.segments[m] != self.segments[n]]
                unknown &= self.pl.col("first").is_null() | self.pl.col("first").is_in(below)
            if (lacks := _lacks_column(condition, name)) is not None:
                yield unknown & lacks

    def _count(self) -> Any:
        return self.pl.sum_horizontal([test.fill_null(value=False).cast(self.pl.Int8) for test in self.tests])

    def _says(self, *reasons: str) -> Any:
        return self.pl.col("reason").is_in(reasons)

    def _by_place(self, values: Sequence[str]) -> Any:
        """One of `values` where a rule has decided."""
        decided = self._says("matched", "provisional")
        return self.pl.when(decided).then(
            self._by_first(values, [self.pl.col("first") == n for n in range(len(values))])
        )

    def _by_first(self, values: Sequence[Any], tests: Sequence[Any]) -> Any:
        found = self.pl.lit(None)
        for value, test in reversed(list(zip(values, tests, strict=True))):
            found = self.pl.when(test).then(self.pl.lit(value)).otherwise(found)
        return found

    def _array(self, flags: Mapping[str, Any], where: Any) -> Any:
        pl = self.pl
        words = [pl.when(flag).then(pl.lit(name)) for name, flag in flags.items()]
        listed = pl.concat_str([pl.lit("{"), pl.concat_str(words, separator=",", ignore_nulls=True), pl.lit("}")])
        return pl.when(where).then(listed).otherwise(pl.lit("{}"))


def _expression(condition: Condition) -> Any:
    """polars has three truth values of its own: null is unknown."""
    import polars as pl

    if condition[0] in ("all", "any"):
        items = [_expression(item) for item in condition[1]]
        return pl.all_horizontal(items) if condition[0] == "all" else pl.any_horizontal(items)
    field, name, value = condition
    column = pl.col(field)
    if name == "in":
        return column.is_in(value)
    return column if name == "true" else getattr(column, name)(value)


def _lacks_column(condition: Condition, name: str) -> Any:
    """Whether an unknown condition is unknown for want of the attribute; None where it does not read it."""
    import polars as pl

    if condition[0] not in ("all", "any"):
        return pl.col(condition[0]).is_null() if ATTRIBUTES[condition[0]] == name else None
    found = [(item, _lacks_column(item, name)) for item in condition[1]]
    flags = [_expression(item).is_null() & lacks for item, lacks in found if lacks is not None]
    return pl.any_horizontal(flags) if flags else None


def _fields(condition: Condition) -> set[str]:
    if condition[0] in ("all", "any"):
        return set().union(*(_fields(item) for item in condition[1]))
    return {condition[0]}
