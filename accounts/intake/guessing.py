"""What the columns of an unknown file probably are: a proposal for the mapping page, for a person to correct."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts.intake.mapping import ImportMapping
from accounts.intake.targets import Target

_WORDS = re.compile(r"[a-z0-9]+")
_ALSO_CALLED = {
    "name": ("company", "company name", "account name", "account", "customer", "organisation", "organization"),
    "domain": ("website", "web site", "url"),
    "employee_count": ("employees", "number of employees", "headcount", "fte", "ftes", "staff"),
    "annual_revenue": ("revenue", "revenues", "sales", "annual sales", "turnover"),
    "arr": ("annual recurring revenue", "acv", "contract value"),
    "industry": ("sector", "vertical"),
    "country": ("billing country", "country code"),
    "state": ("billing state", "region", "province"),
    "city": ("billing city", "town"),
    "health_score": ("health", "customer health"),
    "last_activity_on": ("last activity", "last activity date", "last login"),
    "customer_since_on": ("customer since", "created", "start date", "signup date"),
    "contract_start_on": ("contract start", "contract start date"),
    "contract_end_on": ("contract end", "contract end date", "renewal", "renewal date"),
    "weekly_active_share": ("weekly active", "active share", "usage"),
    "stage": ("account stage", "status", "lifecycle stage"),
    "currency": ("currency code", "currency iso code"),
}
_ID_NAMES = ("id", "external id", "account id", "company id", "crm id", "customer id", "key", "account number")
_PERIOD_NAMES = ("year", "fiscal year", "period", "quarter", "month", "fy")
_CLOSE = 0.86

_NUMBER_FORMS = (
    ("1,234.56", re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?\Z")),
    ("1.234,56", re.compile(r"-?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?\Z|-?[0-9]+,[0-9]{1,2}\Z")),
    ("1 234,56", re.compile("-?[0-9]{1,3}([ \u00a0\u202f][0-9]{3})+(,[0-9]+)?\\Z")),
)
_DATE_FORMS = (
    ("YYYY-MM-DD", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")),
    ("DD.MM.YYYY", re.compile(r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}\Z")),
    ("DD/MM/YYYY", re.compile(r"(1[3-9]|[23][0-9])/[0-9]{2}/[0-9]{4}\Z")),
    ("MM/DD/YYYY", re.compile(r"[0-9]{2}/(1[3-9]|[23][0-9])/[0-9]{4}\Z")),
)


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """`key` is a target's, empty where nothing fits. The form of numbers or dates is as the sample shows it."""

    header: str
    key: str
    form: str


@dataclass(frozen=True, slots=True)
class Guess:
    external_id: str
    period: str
    columns: tuple[ColumnGuess, ...]


def guess_columns(headers: Sequence[str], sample: Sequence[Sequence[str]], targets: Mapping[str, Target]) -> Guess:
    """Each target goes to the header that fits best; headers nothing fits get none."""
    names = {key: {_words(key), _words(key.removesuffix("_on")), *_ALSO_CALLED.get(key, ())} for key in targets}
    taken: set[str] = set()
    columns = []
    for place, header in enumerate(headers):
        key = _best(header, names, taken)
        taken.add(key)
        cells = [row[place] for row in sample if place < len(row)]
        columns.append(ColumnGuess(header, key, _form(cells, targets.get(key))))
    return Guess(
        external_id=_named(headers, _ID_NAMES) or next((c.header for c in columns if c.key == "name"), ""),
        period=_named(headers, _PERIOD_NAMES),
        columns=tuple(columns),
    )


def known_guess(headers: Iterable[str], mapping: ImportMapping) -> Guess:
    """What a mapping that was used before says about the same headers."""
    rules = mapping.columns
    columns = []
    for header in headers:
        rule = rules.get(header)
        is_date = rule is not None and rule.date_format != "YYYY-MM-DD"
        form = "" if rule is None else (rule.date_format if is_date else rule.number_format)
        columns.append(ColumnGuess(header, rule.key if rule else "", form))
    return Guess(mapping.external_id, mapping.period.column if mapping.period else "", tuple(columns))


def _words(text: str) -> str:
    return " ".join(_WORDS.findall(text.lower()))


def _named(headers: Sequence[str], names: Sequence[str]) -> str:
    by_words = {_words(header): header for header in headers}
    return next((by_words[name] for name in names if name in by_words), "")


def _best(header: str, names: Mapping[str, set[str]], taken: set[str]) -> str:
    words = _words(header)
    merits = {
        key: max(difflib.SequenceMatcher(None, words, name).ratio() for name in called)
        for key, called in names.items()
        if key not in taken
    }
    key = max(merits, key=lambda found: merits[found], default="")
    return key if key and merits[key] >= _CLOSE else ""


def _form(cells: Sequence[str], target: Target | None) -> str:
    """The form most of the sample shows; a number without separators shows none."""
    if target is None:
        return ""
    forms = _NUMBER_FORMS if target.is_number else _DATE_FORMS if target.data_type == "date" else ()
    counts = {form: sum(bool(pattern.match(cell.strip())) for cell in cells) for form, pattern in forms}
    best = max(counts, key=lambda form: counts[form], default="")
    return best if counts.get(best) else ""
