"""The attributes every installation has: typed columns of the account."""

from typing import Any

from frameworks.models import Attribute

INTEGER, DECIMAL, MONEY = Attribute.DataType.INTEGER, Attribute.DataType.DECIMAL, Attribute.DataType.MONEY
DATE, TEXT, CHOICE = Attribute.DataType.DATE, Attribute.DataType.TEXT, Attribute.DataType.CHOICE

CORE_ATTRIBUTES: dict[str, str] = {
    "annual_revenue": MONEY,
    "arr": MONEY,
    "city": TEXT,
    "contract_end_on": DATE,
    "contract_start_on": DATE,
    "country": TEXT,
    "customer_since_on": DATE,
    "employee_count": INTEGER,
    "health_score": INTEGER,
    "industry": TEXT,
    "last_activity_on": DATE,
    "stage": CHOICE,
    "state": TEXT,
    "weekly_active_share": DECIMAL,
}
"""Attribute key, which is also the column's name, and its type."""

OBSERVED = frozenset({"annual_revenue", "arr", "employee_count", "health_score", "weekly_active_share"})
"""Columns with an `…_observed_at` beside them."""


def ensure_core_attributes(**kwargs: Any) -> None:
    """Create the rows of CORE_ATTRIBUTES that are not there; after every migrate, so that a flush keeps them."""
    Attribute.objects.bulk_create(
        [
            Attribute(key=key, data_type=data_type, storage=Attribute.Storage.COLUMN)
            for key, data_type in CORE_ATTRIBUTES.items()
        ],
        ignore_conflicts=True,
    )
