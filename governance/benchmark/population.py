"""Accounts and overrides made up by the database itself: always the same ones, with 5 % of the values missing."""

from datetime import UTC, datetime

from django.db import connection

AS_OF = datetime(2026, 1, 15, 15, tzinfo=UTC)
TODAY = AS_OF.date()

# u1 to u20 are evenly spread over [0, 1) and independent of each other. Money and sizes are spread over their
# logarithm. What an import would note about where values come from is there too: it makes rows as wide as they are.
_ACCOUNTS = """
INSERT INTO accounts_account (id, uuid, name, name_key, domain, stage, exclusion, industry, industry_key, country,
    country_key, currency, employee_count, employee_count_observed_at, annual_revenue, annual_revenue_observed_at, arr,
    arr_observed_at, health_score, health_score_observed_at, weekly_active_share, weekly_active_share_observed_at,
    last_activity_on, customer_since_on, contract_start_on, contract_end_on, attributes, provenance, version,
    created_at, updated_at)
SELECT n, md5('account ' || n)::uuid, 'Account ' || n, 'account ' || n, 'account-' || n || '.example',
    CASE WHEN u1 < 0.1 THEN 'prospect' WHEN u1 < 0.2 THEN 'churned' ELSE 'customer' END,
    CASE WHEN u2 < 0.005 THEN 'test' ELSE '' END,
    industry, lower(industry), 'United States', 'united states', 'USD',
    CASE WHEN u4 >= 0.05 THEN floor(exp(u5 * ln(200000::float8))) END, %(as_of)s,
    CASE WHEN u6 >= 0.05 THEN round(exp(u7 * 10 + 10)::numeric, 2) END, %(as_of)s,
    CASE WHEN u8 >= 0.05 THEN round(exp(u9 * ln(1000000::float8))::numeric, 2) END, %(as_of)s,
    CASE WHEN u10 >= 0.05 THEN floor(u11 * 101) END, %(as_of)s,
    CASE WHEN u12 >= 0.05 THEN round((u13 * 100)::numeric, 2) END, %(as_of)s,
    CASE WHEN u14 >= 0.05 THEN %(today)s::date - floor(u15 * 120)::int END,
    CASE WHEN u16 >= 0.05 THEN %(today)s::date - floor(u17 * 1000)::int END, %(today)s::date - 100,
    CASE WHEN u18 >= 0.05 THEN %(today)s::date + floor(u17 * 730 - 30)::int END,
    CASE WHEN u19 < 0.05 THEN '{}'::jsonb ELSE jsonb_build_object('expansion_opportunity', u20 < 0.3) END,
    jsonb_build_object('arr', noted, 'health_score', noted, 'industry', noted, 'employee_count', noted,
        'contract_end_on', noted),
    1, %(as_of)s, %(as_of)s
FROM (
    SELECT n, '{"source": "crm", "at": "2026-01-15T15:00:00Z"}'::jsonb AS noted,
        CASE WHEN u(n, 21) >= 0.05 THEN (ARRAY['Banks', 'Insurance', 'Funds', 'Pharma', 'Hospitals', 'Devices',
            'Software', 'Hardware', 'Telecom', 'Energy', 'Chemicals', 'Motors', 'Software', 'Banks', 'Media',
            'Farming'])[1 + floor(u(n, 3) * 16)::int] END AS industry,
        u(n, 1) AS u1, u(n, 2) AS u2, u(n, 4) AS u4, u(n, 5) AS u5, u(n, 6) AS u6, u(n, 7) AS u7, u(n, 8) AS u8,
        u(n, 9) AS u9, u(n, 10) AS u10, u(n, 11) AS u11, u(n, 12) AS u12, u(n, 13) AS u13, u(n, 14) AS u14,
        u(n, 15) AS u15, u(n, 16) AS u16, u(n, 17) AS u17, u(n, 18) AS u18, u(n, 19) AS u19, u(n, 20) AS u20
    FROM generate_series(1, %(count)s) AS n
) AS drawn ORDER BY n
"""

_EVEN = """
CREATE OR REPLACE FUNCTION u(n bigint, place int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, 20260115 + place) & 4294967295)::float8 / 4294967296
"""

# One account in 500 counts as something else than the rules say, in one dimension each.
_OVERRIDES = """
INSERT INTO accounts_override (uuid, account_id, dimension_id, segment_id, valid_from, valid_until, reason,
    created_by_id, created_at, started_at, ending)
SELECT md5('override ' || n)::uuid, n, d.id,
    (SELECT s.id FROM frameworks_segment s WHERE s.dimension_id = d.id ORDER BY s.id OFFSET n / 2000 %% 4 LIMIT 1),
    %(as_of)s - interval '10 days', %(as_of)s + interval '60 days', 'Agreed with the customer', %(author)s, %(as_of)s,
    %(as_of)s, ''
FROM generate_series(500, %(count)s, 500) AS n
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM frameworks_dimension) AS d ON d.place = n / 500 %% 4
"""


def populate(*, count: int) -> None:
    """Replace all accounts by `count` new ones, ids from 1."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE accounts_account, accounts_accountidentifier, accounts_assignment, accounts_transition,"
            " accounts_pendingevaluation RESTART IDENTITY CASCADE"
        )
        cursor.execute(_EVEN)
        cursor.execute(_ACCOUNTS, {"count": count, "as_of": AS_OF, "today": TODAY})
        cursor.execute("VACUUM (ANALYZE) accounts_account")


def override_some(*, count: int, author_id: int) -> None:
    """Overrides in force at AS_OF for the populated accounts, approved by nobody."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERRIDES, {"count": count, "as_of": AS_OF, "author": author_id})
        cursor.execute("VACUUM (ANALYZE) accounts_override")
