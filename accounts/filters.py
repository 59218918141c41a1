"""Filters of lists. Every one is a parameter of the address, so that a list can be sent to a colleague."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet
from django.forms import HiddenInput, TextInput
from django.http import QueryDict

from accounts.account_list import UNASSIGNED, UNASSIGNED_REASONS, ListedDimension, Moved, in_standing, moved_from
from accounts.models import Account, AccountIdentifier, AssignmentRun
from accounts.quality import lacking, stored_attribute
from frameworks.criteria.text_keys import matching_key
from frameworks.models import User
from frameworks.roles import Role

MY_BOOK = "me"
NO_CSM = "none"


class AccountFilter(django_filters.FilterSet):
    """Search, one filter per dimension, CSM, stage, and the accounts that one run moved."""

    q = django_filters.CharFilter(
        method="search", label="Search", widget=TextInput(attrs={"placeholder": "Name, domain or id"})
    )
    csm = django_filters.ChoiceFilter(method="of_csm", label="CSM", empty_label="Anyone")
    stage = django_filters.ChoiceFilter(choices=Account.Stage.choices, label="Stage", empty_label="Any")
    lacks = django_filters.CharFilter(method="without_value", max_length=63, widget=HiddenInput)
    run = django_filters.UUIDFilter(method="moved_by", widget=HiddenInput)

    def __init__(
        self,
        data: QueryDict,
        queryset: QuerySet[Account],
        *,
        user: User,
        dimensions: Sequence[ListedDimension],
        at: datetime,
    ) -> None:
        super().__init__(data, queryset)
        self.user, self.dimensions, self.at = user, dimensions, at
        declared: dict[str, Any] = dict(self.filters)
        declared["csm"].extra["choices"] = self._csm_choices(data.get("csm", ""))
        self.filters: dict[str, Any] = {"q": declared.pop("q")}
        for listed in dimensions:
            self.filters[listed.parameter] = self._standing_filter(listed)
        self.filters |= declared
        for name in ("moved-in", "from", "to"):
            self.filters[name] = django_filters.CharFilter(method="part_of_run", widget=HiddenInput)
            self.filters[name].parent = self

    def _standing_filter(self, listed: ListedDimension) -> django_filters.Filter:
        segments = [(segment.key, segment.name) for segment in listed.live]
        unassigned = [(f"{UNASSIGNED}{reason.value}", reason.label) for reason in UNASSIGNED_REASONS]
        found = django_filters.ChoiceFilter(
            field_name=listed.parameter,
            method="in_segment",
            label=listed.dimension.name,
            empty_label="Any",
            choices=[*segments, (UNASSIGNED, "Unassigned"), ("Unassigned because", unassigned)],
        )
        found.parent = self
        return found

    def _csm_choices(self, given: str) -> list[tuple[str, str]]:
        """The people whose role is CSM, and whoever the address names."""
        in_role = Q(groups__name=Role.CSM.value, is_active=True)
        people = User.objects.filter(in_role | Q(uuid__in=_uuids(given))).distinct().order_by("name", "pk")
        named = [(str(uuid), name) for uuid, name in people.values_list("uuid", "name")]
        return [(MY_BOOK, "My book"), (NO_CSM, "Nobody"), *named]

    @property
    def moved(self) -> Moved | None:
        """The run, dimension, from and to of the address, when it asks for what a run moved."""
        values = dict(self.form.cleaned_data)
        if not values.get("run"):
            return None
        values["run"] = AssignmentRun.objects.filter(uuid=values["run"]).first()
        return moved_from(values, self.dimensions)

    @property
    def active(self) -> dict[str, Any]:
        """What the address filters by."""
        return {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "")}

    def search(self, accounts: QuerySet[Account], name: str, value: str) -> QuerySet[Account]:
        key = matching_key(value, missing_tokens=())
        if key is None:
            return accounts
        # Names alone are searched in an index; other columns are looked at when the text looks like theirs.
        found = Q(name_key__contains=key)
        if "." in key:
            found |= Q(domain__contains=key)
        if " " not in key and any(character.isdigit() for character in key):
            identified = AccountIdentifier.objects.filter(external_id=value.strip()).values("account_id")
            found |= Q(pk__in=identified)
        return accounts.filter(found)

    def in_segment(self, accounts: QuerySet[Account], name: str, value: str) -> QuerySet[Account]:
        listed = next(each for each in self.dimensions if each.parameter == name)
        return in_standing(accounts, listed, value, self.at)

    def of_csm(self, accounts: QuerySet[Account], name: str, value: str) -> QuerySet[Account]:
        if value == MY_BOOK:
            return accounts.filter(csm=self.user)
        if value == NO_CSM:
            return accounts.filter(csm__isnull=True)
        return accounts.filter(csm__uuid=value)

    def without_value(self, accounts: QuerySet[Account], name: str, value: str) -> QuerySet[Account]:
        attribute = stored_attribute(value)
        return lacking(accounts, attribute) if attribute else accounts.none()

    def moved_by(self, accounts: QuerySet[Account], name: str, value: Any) -> QuerySet[Account]:
        moved = self.moved
        return moved.accounts(accounts) if moved else accounts.none()

    def part_of_run(self, accounts: QuerySet[Account], name: str, value: Any) -> QuerySet[Account]:
        """Says more about `run`, and nothing alone."""
        return accounts


def _uuids(text: str) -> list[str]:
    """The text when it is a UUID."""
    try:
        return [str(UUID(text))]
    except ValueError:
        return []


class RunFilter(django_filters.FilterSet):
    """Runs by state and kind."""

    state = django_filters.ChoiceFilter(choices=AssignmentRun.State.choices, label="State", empty_label="Any")
    kind = django_filters.ChoiceFilter(choices=AssignmentRun.Kind.choices, label="Kind", empty_label="Any")
