"""Tables of accounts and runs, sorted and paged by the database."""

from collections.abc import Mapping, Sequence
from typing import Any

import django_tables2 as tables
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_tables2.data import TableQuerysetData

from accounts.account_list import ListedDimension, Standing, ordered
from accounts.models import Account, AssignmentRun
from accounts.services.runs import seconds_worked
from frameworks.templatetags.cutline import DASH, money, number, swatch, when

FIGURES = {"td": {"class": "r"}, "th": {"class": "r"}}
NARROW_HIDDEN = {"td": {"class": "r hide-s"}, "th": {"class": "r hide-s"}}


class StandingColumn(tables.Column):
    """The segment in one dimension; Unassigned says why."""

    def __init__(self, listed: ListedDimension) -> None:
        self.listed = listed
        super().__init__(verbose_name=listed.dimension.name, accessor="pk", orderable=False)

    def render(self, record: Account, table: "AccountTable") -> SafeString:
        standing = table.standings.get(record.pk, {}).get(self.listed.dimension.pk)
        return standing_cell(standing)


def standing_cell(standing: Standing | None) -> SafeString:
    """Written without a template: a page has hundreds of them."""
    if standing is None:
        return format_html('<span class="xs t-3">{}</span>', "Not evaluated yet")
    note = SafeString()
    if standing.is_overridden:
        note = format_html('<span class="chip warn">{}</span>', "Override")
    elif standing.segment and standing.is_provisional:
        note = format_html('<span class="chip">{}</span>', "Provisional")
    if standing.segment is None:
        return format_html(
            '<span class="seg-u"><span class="chip"><i class="ti ti-circle-dashed" aria-hidden="true"></i>Unassigned'
            '</span>{}<span class="xs t-3">{}</span></span>',
            note,
            standing.reason,
        )
    return format_html(
        '<span class="flex fx seg"><span class="sw {}" aria-hidden="true"></span>{}{}</span>',
        swatch(standing.segment.rank, standing.ranks),
        standing.segment.name,
        note,
    )


def _ordering(column: str) -> Any:
    def order(self: "AccountTable", queryset: QuerySet[Account], is_descending: bool) -> tuple[Any, bool]:  # noqa: FBT001
        return ordered(queryset, f"-{column}" if is_descending else column), True

    return order


class AccountData(TableQuerysetData):
    """Finds the accounts of a page by their ids first: sorting and skipping need not carry whole rows."""

    def __getitem__(self, key: slice | int) -> Any:
        if isinstance(key, int):
            return self.data[key]
        ids = list(self.data.values_list("pk", flat=True)[key])
        rows = Account.objects.select_related("csm").defer("attributes", "provenance").in_bulk(ids)
        return [rows[pk] for pk in ids if pk in rows]


class AccountTable(tables.Table):
    """Give it `dimensions` for its columns; set `standings` of the page's accounts before it is rendered."""

    name = tables.Column(verbose_name="Account")
    arr = tables.Column(verbose_name="ARR", attrs=FIGURES, initial_sort_descending=True)
    employee_count = tables.Column(verbose_name="Employees", attrs=FIGURES, initial_sort_descending=True)
    health_score = tables.Column(verbose_name="Health", attrs=FIGURES, initial_sort_descending=True)
    csm = tables.Column(verbose_name="CSM")

    order_name = _ordering("name")
    order_arr = _ordering("arr")
    order_employee_count = _ordering("employee_count")
    order_health_score = _ordering("health_score")
    order_csm = _ordering("csm")

    class Meta:
        attrs = {"caption": "Accounts with their segment in each dimension", "class": "wide-t"}
        default = DASH

    def __init__(self, accounts: QuerySet[Account], dimensions: Sequence[ListedDimension], **kwargs: Any) -> None:
        self.standings: Mapping[int, Mapping[int, Standing]] = {}
        columns = [(f"dimension_{listed.dimension.pk}", StandingColumn(listed)) for listed in dimensions]
        names = [name for name, _ in columns]
        sequence = ["name", *names, "arr", "employee_count", "health_score", "csm"]
        super().__init__(AccountData(accounts), extra_columns=columns, sequence=sequence, order_by="name", **kwargs)

    def render_name(self, record: Account) -> SafeString:
        chips = SafeString()
        if record.exclusion:
            chips = format_html(' <span class="chip">{}</span>', record.get_exclusion_display())
        elif record.stage != Account.Stage.CUSTOMER:
            chips = format_html(' <span class="chip">{}</span>', record.get_stage_display())
        url = reverse("accounts:account_detail", args=[record.uuid])
        return format_html('<a class="b" href="{}">{}</a>{}', url, record.name, chips)

    def render_arr(self, record: Account) -> str:
        return money(record.arr, record.currency)

    def render_employee_count(self, value: int) -> str:
        return number(value)


class RunTable(tables.Table):
    """Runs, newest first. Rows come with `changed`, the assignments written (or to be written)."""

    name = tables.Column(verbose_name="Run", accessor="pk", orderable=False)
    kind = tables.Column(orderable=False)
    framework_version = tables.Column(verbose_name="Version", orderable=False)
    state = tables.Column(orderable=False)
    accounts = tables.Column(attrs=FIGURES, orderable=False)
    changed = tables.Column(attrs=FIGURES, orderable=False)
    duration = tables.Column(accessor="pk", attrs=NARROW_HIDDEN, orderable=False)
    requested_by = tables.Column(verbose_name="Asked for by", orderable=False, default="Cutline")
    created_at = tables.Column(verbose_name="Started", orderable=False)

    class Meta:
        attrs = {"caption": "Runs, newest first"}
        default = DASH

    def render_name(self, record: AssignmentRun) -> SafeString:
        return format_html(
            '<a class="b nw" href="{}">{}</a>', reverse("accounts:run_detail", args=[record.uuid]), record
        )

    def render_state(self, record: AssignmentRun) -> SafeString:
        return SafeString(render_to_string("accounts/_run_state.html", {"run": record}))

    def render_accounts(self, value: int) -> str:
        return number(value)

    def render_changed(self, value: int) -> str:
        return number(value)

    def render_duration(self, record: AssignmentRun) -> str:
        return took(record)

    def render_created_at(self, record: AssignmentRun) -> str:
        return when(record.created_at)


def took(run: AssignmentRun) -> str:
    """How long the run worked, in words; a dash while it has not ended."""
    return DASH if run.finished_at is None else duration_words(seconds_worked(run, run.finished_at))


def duration_words(seconds: float) -> str:
    """ "under a second", "42 s", "3 min 5 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 1:
        return "under a second"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
