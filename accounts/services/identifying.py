"""Finding accounts by what source systems call them."""

from collections.abc import Iterable

from django.db.models import Q

from accounts.models import AccountIdentifier


def identified(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(source, external id) → account id, of those that are known."""
    by_source: dict[str, list[str]] = {}
    for source, external_id in keys:
        by_source.setdefault(source, []).append(external_id)
    if not by_source:
        return {}
    wanted = Q()
    for source, ids in by_source.items():
        wanted |= Q(source=source, external_id__in=ids)
    rows = AccountIdentifier.objects.filter(wanted).values_list("source", "external_id", "account_id")
    return {(source, external_id): account_id for source, external_id, account_id in rows}
