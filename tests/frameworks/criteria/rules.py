"""Random rules and accounts over the vocabulary, for properties."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from frameworks.criteria.text_keys import has_control_character, matching_key
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS, INDUSTRIES, LISTS, REGIONS

NUMBERS = st.integers(0, 6).map(str)
MONEY = st.sampled_from(["0", "24999.99", "25000", "25000.1", "100000"])
DAYS = st.dates(date(2025, 12, 1), date(2026, 6, 1)).map(date.isoformat)
TEXTS = st.text(max_size=8).filter(lambda text: matching_key(text) is not None and not has_control_character(text))
CHOICES = st.sampled_from([choice for choice, _ in INDUSTRIES])
MISSING = st.sampled_from([{}, {}, {"missing": "true"}, {"missing": "false"}])
OF = st.sampled_from([{}, {}, {"of": "ultimate_parent"}])
GRAINS = st.sampled_from(["month", "fiscal_quarter", "fiscal_year"])
TAGS = st.sampled_from(["Salesforce", "a, b", "straße", "HubSpot"])
UNITS = st.sampled_from(["days", "weeks", "months", "quarters"])


def _with(**fields):
    return st.fixed_dictionaries(
        {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in fields.items()}
    )


def _missing(leaf):
    return st.tuples(leaf, MISSING).map(lambda parts: {**parts[0], **parts[1]})


def _held(leaf):
    return st.tuples(leaf, OF).map(lambda parts: {**parts[0], **parts[1]})


def _numeric(key, values, measure):
    bounds = st.lists(values, min_size=2, max_size=2, unique_by=Decimal).map(lambda two: sorted(two, key=Decimal))
    ends = st.tuples(st.sampled_from(["ge", "gt"]), st.sampled_from(["lt", "le"]), bounds)
    ranges = ends.map(lambda e: {"op": "range", "attribute": key, e[0]: e[2][0], e[1]: e[2][1]})
    comparisons = _with(op=st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), attribute=key, value=values)
    lists = _with(op=st.sampled_from(["in", "not_in"]), attribute=key, values=st.lists(values, min_size=1, max_size=3))
    measured = st.sampled_from([{}, measure])
    return _missing(st.tuples(comparisons | ranges | lists, measured).map(lambda parts: {**parts[0], **parts[1]}))


def _textual(key, values, *, exact):
    match = st.sampled_from([{}, {"match": "exact"}]) if exact else st.just({})
    single = _with(op=st.sampled_from(["eq", "ne"]), attribute=key, value=values)
    lists = _with(op=st.sampled_from(["in", "not_in"]), attribute=key, values=st.lists(values, min_size=1, max_size=3))
    forms = single | lists
    if exact:
        forms |= _with(op=st.sampled_from(["starts_with", "ends_with", "contains"]), attribute=key, value=values)
    return _missing(st.tuples(forms, match).map(lambda parts: {**parts[0], **parts[1]}))


def _temporal(key):
    order = st.sampled_from(["before", "on_or_before", "after", "on_or_after"])
    relative = st.sampled_from(["within_last", "within_next", "older_than"])
    return _missing(
        _with(op=order, attribute=key, value=DAYS)
        | _with(op=relative, attribute=key, n=st.integers(1, 100), unit=UNITS)
    )


def _tagged(key, values):
    return _missing(
        _with(
            op=st.sampled_from(["has_any", "has_all", "has_none"]),
            attribute=key,
            values=st.lists(values, min_size=1, max_size=3),
        )
    )


def _periods(key):
    period = st.sampled_from(["fiscal_quarter", "fiscal_year"])
    return _missing(_with(op="in_period", attribute=key, period=period, offset=st.integers(-4, 4)))


def _changes(key):
    measured = st.tuples(st.just("absolute"), st.sampled_from(["0", "-1", "3"])) | st.tuples(
        st.just("percent"), st.sampled_from(["0", "50", "-33.3", "100"])
    )
    plain = _with(
        op="change",
        attribute=key,
        grain=GRAINS,
        periods=st.integers(1, 3),
        compare=st.sampled_from(["gt", "ge", "lt", "le"]),
    )
    return _missing(
        st.tuples(plain, measured).map(lambda parts: {**parts[0], "measure": parts[1][0], "value": parts[1][1]})
    )


DETAILS = st.dictionaries(st.sampled_from(["role", "id", "sustained"]), st.sampled_from(["Ops", "a = b"]), min_size=1)
SIGNALS = st.tuples(
    _with(
        op="signal",
        kind=st.sampled_from(["hiring", "signal"]),
        at_least=st.integers(1, 3),
        within_days=st.integers(1, 90),
    ),
    st.just({}) | DETAILS.map(lambda details: {"details": details}),
).map(lambda parts: {**parts[0], **parts[1]})

SEGMENTS = st.lists(st.sampled_from(sorted(DIMENSIONS["lifecycle"])), min_size=1, max_size=2)
PRESENCE = st.sampled_from(["is_missing", "is_present"])
NUMERIC_LEAVES = st.one_of(
    _numeric("employees", NUMBERS, {"unit": "employees"}),
    _numeric("arr", MONEY, {"currency": "USD"}),
    _numeric("each", st.sampled_from(["0.5", "4999.9999", "12500"]), {}),
)
LEAVES = st.one_of(
    _held(NUMERIC_LEAVES),
    _held(_textual("name", TEXTS, exact=True)),
    _held(_textual("industry", CHOICES, exact=False)),
    _held(_temporal("signed_on")),
    _held(_temporal("seen_at")),
    _held(_periods("signed_on")),
    _held(_periods("seen_at")),
    _held(_tagged("tech", TAGS)),
    _held(_tagged("regions", st.sampled_from([region for region, _ in REGIONS]))),
    _held(_missing(_with(op=st.sampled_from(["is_true", "is_false"]), attribute=st.sampled_from(["p", "q"])))),
    _held(_with(op=PRESENCE, attribute=st.sampled_from(sorted(ATTRIBUTES.keys() - {"rising"})))),
    _held(_with(op="on_list", list=st.sampled_from(LISTS))),
    _held(_numeric("tenure", st.sampled_from(["0", "30", "90"]), {"unit": "days"})),
    _numeric("rising", st.sampled_from(["0", "100", "-50"]), {"unit": "%"}),
    _changes("arr"),
    _changes("employees"),
    SIGNALS,
    _missing(_with(op="segment", dimension="lifecycle", any_of=SEGMENTS)),
    _missing(_with(op="segment", dimension="lifecycle", none_of=SEGMENTS)),
    _with(op="is_unassigned", dimension="size"),
    st.just({"op": "always"}),
)


def _groups(children):
    items = st.lists(children, min_size=1, max_size=3)
    counted = items.flatmap(lambda each: _with(op="at_least", k=st.integers(1, len(each)), items=st.just(each)))
    return _with(op=st.sampled_from(["all", "any"]), items=items) | counted | _with(op="not", item=children)


HISTORY = st.recursive(
    NUMERIC_LEAVES | _with(op=PRESENCE, attribute=st.sampled_from(["employees", "arr", "each"])), _groups, max_leaves=3
)
SUSTAINED = st.tuples(
    _with(op="sustained", periods=st.integers(1, 3), grain=GRAINS, item=HISTORY),
    st.sampled_from([{}, {"missing_period": "breaks"}, {"missing_period": "skip"}]),
).map(lambda parts: {**parts[0], **parts[1]})


def numbered(root):
    """The rule with an id on every node."""
    counter = iter(range(1_000))

    def number(node):
        named = {"id": f"n{next(counter)}", **node}
        if "item" in node:
            named["item"] = number(node["item"])
        if "items" in node:
            named["items"] = [number(each) for each in node["items"]]
        return named

    return number(root)


def _depth(node):
    return 1 + max((_depth(each) for each in [*node.get("items", ()), *filter(None, [node.get("item")])]), default=0)


RULES = st.recursive(LEAVES | SUSTAINED, _groups, max_leaves=8).filter(lambda root: _depth(root) <= 6).map(numbered)

DATES = st.dates(date(2025, 12, 1), date(2026, 6, 1))
INSTANTS = st.datetimes(datetime(2025, 12, 1), datetime(2026, 6, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
FACTS = {
    "employees": st.none() | st.integers(0, 6),
    "arr": st.none() | MONEY.map(Decimal),
    "name": st.none() | st.sampled_from(["", "N/A", "straße", "Acme"]) | TEXTS,
    "industry": st.none() | CHOICES,
    "signed_on": st.none() | DATES,
    "seen_at": st.none() | INSTANTS,
    "tech": st.none() | st.lists(TAGS, max_size=3),
    "regions": st.none() | st.lists(st.sampled_from(["emea", "apac"]), max_size=2),
    "regions_observed_at": st.none() | INSTANTS,
    "p": st.sampled_from([True, False, None]),
    "q": st.sampled_from([True, False, None]),
    "lists": st.lists(st.sampled_from(LISTS), max_size=2),
}


def _series(values):
    return st.lists(st.none() | values, max_size=5)


METRICS = {"employees": st.integers(0, 6).map(Decimal), "arr": MONEY.map(Decimal)}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            **FACTS,
            "lifecycle_segment": st.none() | st.sampled_from(sorted(DIMENSIONS["lifecycle"])),
            "size_segment": st.none() | st.sampled_from(sorted(DIMENSIONS["size"])),
            "history": st.fixed_dictionaries(
                {
                    (metric, grain): _series(values)
                    for metric, values in METRICS.items()
                    for grain in ("month", "fiscal_quarter", "fiscal_year")
                }
            ),
            "signals": st.lists(
                st.fixed_dictionaries(
                    {"kind": st.just("hiring"), "details": st.just({}) | DETAILS, "on": DATES},
                ),
                max_size=3,
            ),
        },
        optional={"parent": st.fixed_dictionaries(FACTS)},
    ),
    min_size=1,
    max_size=4,
)
