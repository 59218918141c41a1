"""What the demo's file cannot know, made up: ARR, usage, health, contracts, stage, owners, expansion.

Every value depends on a fixed seed, the attribute and the account's external id, so that each installation shows
the same demo. About one value in twenty is left missing, as in any CRM. Provenance says "generated".
"""

import json
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from accounts.models import Account, AccountIdentifier, Cause, PendingEvaluation
from accounts.services.marking import ring_doorbell
from frameworks.models import Attribute, User

SOURCE = "fortune1000"
SEED = "cutline-demo-1"
OPPORTUNITY = "expansion_opportunity"
GENERATED = (
    "arr", "health_score", "weekly_active_share", "last_activity_on", "customer_since_on", "contract_start_on",
    "contract_end_on", "stage", OPPORTUNITY,
)  # fmt: skip


def generate_demo_values(*, csms: list[User], aes: list[User], as_of: date, at: datetime) -> int:
    """Fill the imported demo accounts that have none of this yet, and mark them; returns how many accounts.

    ARR is log-normal, loosely tied to revenue, $5,000 to $2,000,000. `as_of` is the day the dates are told from.
    Owners are spread evenly; empty lists leave accounts without.
    """
    Attribute.objects.get_or_create(
        key=OPPORTUNITY,
        defaults={"data_type": Attribute.DataType.BOOLEAN, "storage": Attribute.Storage.JSON},
    )
    provenance = {key: {"source": "generated", "at": at.isoformat()} for key in GENERATED}
    parameters: dict[str, Any] = {
        "seed": SEED,
        "source": SOURCE,
        "as_of": as_of,
        "at": at,
        "csms": [user.pk for user in csms],
        "aes": [user.pk for user in aes],
        "provenance": json.dumps(provenance),
        "opportunity": OPPORTUNITY,
        "cause": Cause.DATA.value,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STATEMENT, parameters)
        (count,) = cursor.fetchone()
        ring_doorbell()
    return int(count)


def _chance(name: str) -> str:
    """SQL of a number in [0, 1) that depends on seed, `name` and the account. md5 is the same on every server."""
    digits = f"left(md5(%(seed)s || ':{name}:' || i.external_id), 12)"
    return f"(('x' || {digits})::bit(48)::bigint::numeric / 281474976710656)"


def _normal(name: str) -> str:
    """SQL of a standard normal number (Box-Muller)."""
    return (
        f"(sqrt(-2 * ln(greatest({_chance(name + ' radius')}, 1e-9)))"
        f" * cos(2 * pi() * {_chance(name + ' angle')}::float8)::numeric)"
    )


def _owner(name: str) -> str:
    people = f"%({name})s::bigint[]"
    return f"({people})[1 + floor({_chance(name)} * cardinality({people}))::int]"


# One pass over the accounts; each stage reads the one before, so that health follows usage and dates follow stage.
_STATEMENT = f"""
WITH chances AS (
    SELECT a.id, i.external_id, a.annual_revenue,
        CASE WHEN {_chance("stage")} < 0.05 THEN 'prospect' WHEN {_chance("stage")} < 0.10 THEN 'churned'
             ELSE 'customer' END AS stage,
        {_normal("arr")} AS size, {_normal("usage")} AS usage, {_normal("health")} AS mood,
        {_chance("quiet")} AS quiet, {_chance("tenure")} AS tenure, {_chance("anniversary")} AS anniversary,
        {_chance("opportunity")} < 0.25 AS opportunity,
        {_chance("arr known")} >= 0.05 AS has_arr, {_chance("usage known")} >= 0.05 AS has_usage,
        {_chance("health known")} >= 0.05 AS has_health, {_chance("last known")} >= 0.05 AS has_last,
        {_chance("since known")} >= 0.05 AS has_since, {_chance("contract known")} >= 0.05 AS has_contract,
        {_chance("opportunity known")} >= 0.05 AS has_opportunity,
        {_owner("csms")} AS csm_id, {_owner("aes")} AS ae_id
    FROM {Account._meta.db_table} a JOIN {AccountIdentifier._meta.db_table} i ON i.account_id = a.id
    WHERE i.source = %(source)s AND NOT a.provenance ? 'arr'
), figures AS (
    SELECT *,
        round(least(2000000, greatest(5000,
            exp(ln(55000.0) + 0.35 * (ln(greatest(coalesce(annual_revenue, 6e9), 1e6)) - ln(6e9)) + 1.15 * size)
        )), -2) AS arr,
        least(100, greatest(0, round(48 + 22 * usage, 1))) AS share,
        (%(as_of)s - (30 + floor(2900 * tenure * tenure))::int
            - CASE WHEN stage = 'churned' THEN 400 ELSE 0 END) AS since
    FROM chances
), contracts AS (
    SELECT *,
        least(100, greatest(0, round(42 + 0.5 * share + 13 * mood)))::smallint AS health,
        (%(as_of)s - least(400, floor(-ln(greatest(1 - quiet, 1e-6)) * (4 + (100 - share) / 4)))::int) AS last_day,
        greatest(since, %(as_of)s - floor(364 * anniversary)::int) AS started
    FROM figures
), written AS (
    UPDATE {Account._meta.db_table} a SET
        stage = c.stage,
        arr = CASE WHEN c.stage = 'customer' AND has_arr THEN c.arr WHEN c.stage = 'churned' THEN 0 END,
        arr_observed_at = CASE WHEN c.stage = 'churned' OR (c.stage = 'customer' AND has_arr) THEN %(at)s END,
        weekly_active_share = CASE WHEN c.stage = 'customer' AND has_usage THEN share END,
        weekly_active_share_observed_at = CASE WHEN c.stage = 'customer' AND has_usage THEN %(at)s END,
        health_score = CASE WHEN c.stage = 'customer' AND has_health THEN health END,
        health_score_observed_at = CASE WHEN c.stage = 'customer' AND has_health THEN %(at)s END,
        last_activity_on = CASE WHEN c.stage <> 'prospect' AND has_last
            THEN greatest(since, last_day - CASE WHEN c.stage = 'churned' THEN 200 ELSE 0 END) END,
        customer_since_on = CASE WHEN c.stage <> 'prospect' AND has_since THEN since END,
        contract_start_on = CASE WHEN c.stage = 'customer' AND has_contract THEN started END,
        contract_end_on = CASE WHEN c.stage = 'customer' AND has_contract THEN (started + interval '1 year')::date END,
        csm_id = c.csm_id,
        ae_id = c.ae_id,
        attributes = a.attributes || CASE WHEN c.stage = 'customer' AND has_opportunity
            THEN jsonb_build_object(%(opportunity)s::text, opportunity) ELSE '{{}}' END,
        provenance = a.provenance || %(provenance)s::jsonb,
        version = a.version + 1,
        updated_at = %(at)s
    FROM contracts c WHERE a.id = c.id
    RETURNING a.id
), marked AS (
    INSERT INTO {PendingEvaluation._meta.db_table} (account_id, cause, marked_at)
    SELECT id, %(cause)s, %(at)s FROM written ORDER BY id
)
SELECT count(*) FROM written
"""
