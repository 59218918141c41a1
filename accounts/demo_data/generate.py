"""What the demo's file cannot know, made up: ARR, usage, health, contracts, stage, owners, expansion.

Every value depends on a fixed seed, the attribute and the account's external id, so that each installation shows
the same demo. About one value in twenty is left missing, as in any CRM. Of those that are there provenance says
"generated".
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
    parameters: dict[str, Any] = {
        "seed": SEED,
        "source": SOURCE,
        "as_of": as_of,
        "at": at,
        "csms": [user.pk for user in csms],
        "aes": [user.pk for user in aes],
        "generated": list(GENERATED),
        "said": json.dumps({"source": "generated", "at": at.isoformat()}),
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
    WHERE i.source = %(source)s AND a.provenance #>> '{{stage,source}}' IS DISTINCT FROM 'generated'
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
), finals AS (
    SELECT id, csm_id, ae_id, stage,
        CASE WHEN stage = 'customer' AND has_arr THEN arr WHEN stage = 'churned' THEN 0 END AS arr,
        CASE WHEN stage = 'customer' AND has_usage THEN share END AS weekly_active_share,
        CASE WHEN stage = 'customer' AND has_health THEN health END AS health_score,
        CASE WHEN stage <> 'prospect' AND has_last
            THEN greatest(since, last_day - CASE WHEN stage = 'churned' THEN 200 ELSE 0 END) END AS last_activity_on,
        CASE WHEN stage <> 'prospect' AND has_since THEN since END AS customer_since_on,
        CASE WHEN stage = 'customer' AND has_contract THEN started END AS contract_start_on,
        CASE WHEN stage = 'customer' AND has_contract THEN (started + interval '1 year')::date END AS contract_end_on,
        CASE WHEN stage = 'customer' AND has_opportunity THEN opportunity END AS {OPPORTUNITY}
    FROM contracts
), written AS (
    UPDATE {Account._meta.db_table} a SET
        stage = f.stage,
        arr = f.arr,
        arr_observed_at = CASE WHEN f.arr IS NOT NULL THEN %(at)s END,
        weekly_active_share = f.weekly_active_share,
        weekly_active_share_observed_at = CASE WHEN f.weekly_active_share IS NOT NULL THEN %(at)s END,
        health_score = f.health_score,
        health_score_observed_at = CASE WHEN f.health_score IS NOT NULL THEN %(at)s END,
        last_activity_on = f.last_activity_on,
        customer_since_on = f.customer_since_on,
        contract_start_on = f.contract_start_on,
        contract_end_on = f.contract_end_on,
        csm_id = f.csm_id,
        ae_id = f.ae_id,
        attributes = a.attributes
            || jsonb_strip_nulls(jsonb_build_object(%(opportunity)s::text, f.{OPPORTUNITY})),
        provenance = a.provenance || (
            SELECT jsonb_object_agg(each.key, %(said)s::jsonb) FROM jsonb_each_text(to_jsonb(f)) each
            WHERE each.key = ANY(%(generated)s) AND each.value IS NOT NULL
        ),
        version = a.version + 1,
        updated_at = %(at)s
    FROM finals f WHERE a.id = f.id
    RETURNING a.id
), marked AS (
    INSERT INTO {PendingEvaluation._meta.db_table} (account_id, cause, marked_at)
    SELECT id, %(cause)s, %(at)s FROM written ORDER BY id
)
SELECT count(*) FROM written
"""
