"""The same work by hand: what an engineer would write in SQL for exactly the rules of `framework.yaml`.

The same semantics as the engine's: every candidate as a boolean, unknown kept apart from false, provisional and
missing data with the attributes that could still decide, conflict and losers, exclusion before override before rule.
But for one framework only: thresholds and segments are written into the text, and nothing is looked up that these
rules do not need. Parameters are the ids of dimensions and segments, the day, and the cutline that the bench moves.
"""

_EVALUATED = """
WITH midnights AS MATERIALIZED (
    SELECT array_agg((%(today)s::date + ahead)::timestamp AT TIME ZONE 'America/New_York' ORDER BY ahead) AS starts
    FROM generate_series(1, 800) AS ahead
),
overridden AS (
    SELECT account_id,
        max(segment_id) FILTER (WHERE dimension_id = %(engagement)s) AS e_segment,
        max(COALESCE(ended_at, valid_until)) FILTER (WHERE dimension_id = %(engagement)s) AS e_until,
        max(segment_id) FILTER (WHERE dimension_id = %(industry)s) AS i_segment,
        max(COALESCE(ended_at, valid_until)) FILTER (WHERE dimension_id = %(industry)s) AS i_until,
        max(segment_id) FILTER (WHERE dimension_id = %(lifecycle)s) AS l_segment,
        max(COALESCE(ended_at, valid_until)) FILTER (WHERE dimension_id = %(lifecycle)s) AS l_until,
        max(segment_id) FILTER (WHERE dimension_id = %(tier)s) AS t_segment,
        max(COALESCE(ended_at, valid_until)) FILTER (WHERE dimension_id = %(tier)s) AS t_until
    FROM accounts_override
    WHERE valid_from <= %(as_of)s AND %(as_of)s < COALESCE(ended_at, valid_until)
    GROUP BY account_id
),
tested AS (
    SELECT a.id, a.version AS facts, exclusion <> '' OR deleted_at IS NOT NULL AS gone, arr, employee_count,
        industry_key, health_score, last_activity_on, customer_since_on, contract_end_on, o.*,
        (attributes ->> 'expansion_opportunity')::boolean AS opportunity,
        last_activity_on BETWEEN %(today)s - 90 AND %(today)s AND health_score >= 70 AS e1,
        last_activity_on BETWEEN %(today)s - 90 AND %(today)s AND health_score >= 40 AS e2,
        last_activity_on BETWEEN %(today)s - 90 AND %(today)s AS e3,
        last_activity_on < %(today)s - 90 AS e4,
        industry_key IN ('banks', 'insurance', 'funds') AS i1,
        industry_key IN ('pharma', 'hospitals', 'devices') AS i2,
        industry_key IN ('software', 'hardware', 'telecom', 'media') AS i3,
        industry_key IN ('energy', 'chemicals', 'motors', 'media') AS i4,
        stage = 'customer' AND customer_since_on BETWEEN %(today)s - 90 AND %(today)s AS l1,
        contract_end_on BETWEEN %(today)s AND %(today)s + 120 AS l2,
        customer_since_on < %(today)s - 365 OR (attributes ->> 'expansion_opportunity')::boolean AS l3
    FROM accounts_account a LEFT JOIN overridden o ON o.account_id = a.id
    WHERE {accounts} OFFSET 0
),
placed AS (
    SELECT *,
        CASE WHEN gone THEN NULL WHEN e1 THEN 1 WHEN e2 THEN 2 WHEN e3 THEN 3 WHEN e4 THEN 4 END AS e,
        CASE WHEN gone THEN NULL WHEN i1 AND (i2 OR i3 OR i4) OR i2 AND (i3 OR i4) OR i3 AND i4 THEN 5
            WHEN i1 THEN 1 WHEN i2 THEN 2 WHEN i3 THEN 3 WHEN i4 THEN 4 END AS i,
        CASE WHEN gone THEN NULL WHEN l1 THEN 1 WHEN l2 AND l1 IS NULL THEN NULL WHEN l2 THEN 2
            WHEN l3 AND (l1 IS NULL OR l2 IS NULL) THEN NULL WHEN l3 THEN 3
            WHEN l1 IS NULL OR l2 IS NULL OR l3 IS NULL THEN NULL ELSE 4 END AS l
    FROM tested OFFSET 0
),
engaged AS (
    SELECT *,
        CASE e WHEN 1 THEN %(high)s WHEN 2 THEN %(medium)s WHEN 3 THEN %(low)s WHEN 4 THEN %(dormant)s
            END AS e_computed,
        CASE WHEN NOT gone THEN COALESCE(e_segment, CASE e WHEN 1 THEN %(high)s WHEN 2 THEN %(medium)s
            WHEN 3 THEN %(low)s WHEN 4 THEN %(dormant)s END) END AS e_effective,
        CASE WHEN gone THEN 'excluded' WHEN e = 1 THEN 'matched'
            WHEN e = 2 THEN CASE WHEN e1 IS NULL THEN 'provisional' ELSE 'matched' END
            WHEN e = 3 THEN CASE WHEN e1 IS NULL OR e2 IS NULL THEN 'provisional' ELSE 'matched' END
            WHEN e = 4 THEN CASE WHEN e1 IS NULL OR e2 IS NULL OR e3 IS NULL THEN 'provisional' ELSE 'matched' END
            WHEN e1 IS NULL OR e2 IS NULL OR e3 IS NULL OR e4 IS NULL THEN 'missing_data' ELSE 'no_match'
            END AS e_reason,
        CASE i WHEN 1 THEN %(finance)s WHEN 2 THEN %(health)s WHEN 3 THEN %(technology)s WHEN 4 THEN %(industrial)s
            END AS i_computed,
        CASE WHEN gone THEN 'excluded' WHEN i = 5 THEN 'conflict'
            WHEN i1 IS NULL OR i2 IS NULL OR i3 IS NULL OR i4 IS NULL
                THEN CASE WHEN i IS NULL THEN 'missing_data' ELSE 'provisional' END
            WHEN i IS NULL THEN 'no_match' ELSE 'matched' END AS i_reason,
        CASE l WHEN 1 THEN %(onboarding)s WHEN 2 THEN %(renewal)s WHEN 3 THEN %(growth)s WHEN 4 THEN %(adoption)s
            END AS l_computed,
        CASE WHEN gone THEN 'excluded' WHEN l IS NULL THEN 'missing_data' WHEN l = 4 THEN 'fallback' ELSE 'matched'
            END AS l_reason
    FROM placed OFFSET 0
),
tiered AS (
    SELECT *, arr >= 500000 AS t1,
        arr >= 100000 AND arr < 500000 OR arr >= 50000 AND arr < 100000 AND e_effective = %(high)s AS t2,
        arr >= %(cutline)s AND arr < 100000 AS t3, arr < %(cutline)s AS t4,
        employee_count >= 5000 AS t5, employee_count >= 500 AND employee_count < 5000 AS t6
    FROM engaged OFFSET 0
),
ranked AS (
    SELECT *, CASE WHEN gone THEN NULL WHEN t1 THEN 1 WHEN t2 THEN 2 WHEN t3 THEN 3 WHEN t4 THEN 4 WHEN t5 THEN 5
        WHEN t6 THEN 6 END AS t
    FROM tiered OFFSET 0
),
outcome AS (
    SELECT id, facts, (SELECT starts FROM midnights)[CASE WHEN last_activity_on > %(today)s THEN last_activity_on
            WHEN last_activity_on + 91 > %(today)s THEN last_activity_on + 91 END - %(today)s] AS e_flip,
        (SELECT starts FROM midnights)[LEAST(
            CASE WHEN customer_since_on > %(today)s THEN customer_since_on
                WHEN customer_since_on + 91 > %(today)s THEN customer_since_on + 91
                WHEN customer_since_on + 366 > %(today)s THEN customer_since_on + 366 END,
            CASE WHEN contract_end_on - 120 > %(today)s THEN contract_end_on - 120
                WHEN contract_end_on + 1 > %(today)s THEN contract_end_on + 1 END) - %(today)s] AS l_flip,
        NULL::timestamptz AS i_flip, NULL::timestamptz AS t_flip,
        e_computed, e_effective, CASE WHEN NOT gone THEN e_until END AS e_until, e_reason,
        CASE e WHEN 1 THEN 'high/usage' WHEN 2 THEN 'medium/usage' WHEN 3 THEN 'low/usage'
            WHEN 4 THEN 'dormant/silence' ELSE '' END AS e_rule,
        CASE WHEN e_reason IN ('provisional', 'missing_data') THEN array_remove(ARRAY[
            CASE WHEN (e1 IS NULL OR e2 IS NULL) AND health_score IS NULL THEN 'health_score' END,
            CASE WHEN last_activity_on IS NULL THEN 'last_activity_on' END], NULL) ELSE '{}' END AS e_missing,
        CASE WHEN e = 1 OR e = 2 AND (e3 OR e4) OR e = 3 AND e4 THEN array_remove(ARRAY[
            CASE WHEN e2 AND e < 2 THEN 'medium' END, CASE WHEN e3 AND e < 3 THEN 'low' END,
            CASE WHEN e4 AND e < 4 THEN 'dormant' END], NULL) ELSE '{}' END AS e_conflict,
        i_computed, CASE WHEN NOT gone THEN COALESCE(i_segment, i_computed) END AS i_effective,
        CASE WHEN NOT gone THEN i_until END AS i_until, i_reason,
        CASE i WHEN 1 THEN 'finance/sector' WHEN 2 THEN 'health/sector' WHEN 3 THEN 'technology/sector'
            WHEN 4 THEN 'industrial/sector' ELSE '' END AS i_rule,
        CASE WHEN i_reason IN ('provisional', 'missing_data') AND industry_key IS NULL THEN '{industry}'::text[]
            ELSE '{}' END AS i_missing,
        CASE WHEN i = 5 THEN array_remove(ARRAY[CASE WHEN i1 THEN 'finance' END, CASE WHEN i2 THEN 'health' END,
            CASE WHEN i3 THEN 'technology' END, CASE WHEN i4 THEN 'industrial' END], NULL)
            ELSE '{}' END AS i_conflict,
        l_computed, CASE WHEN NOT gone THEN COALESCE(l_segment, l_computed) END AS l_effective,
        CASE WHEN NOT gone THEN l_until END AS l_until, l_reason,
        CASE l WHEN 1 THEN 'onboarding/first_days' WHEN 2 THEN 'renewal/contract_ends'
            WHEN 3 THEN 'growth/past_first_year' ELSE '' END AS l_rule,
        CASE WHEN l_reason = 'missing_data' THEN array_remove(ARRAY[
            CASE WHEN l2 IS NULL THEN 'contract_end_on' END,
            CASE WHEN (l1 IS NULL OR l3 IS NULL) AND customer_since_on IS NULL THEN 'customer_since_on' END,
            CASE WHEN l3 IS NULL AND l2 IS NOT TRUE AND opportunity IS NULL THEN 'expansion_opportunity' END], NULL)
            ELSE '{}' END AS l_missing,
        CASE WHEN l = 1 AND (l2 OR l3) OR l = 2 AND l3 THEN array_remove(ARRAY[
            CASE WHEN l2 AND l < 2 THEN 'renewal' END, CASE WHEN l3 AND l < 3 THEN 'growth' END], NULL)
            ELSE '{}' END AS l_conflict,
        CASE t WHEN 1 THEN %(strategic)s WHEN 2 THEN %(enterprise)s WHEN 3 THEN %(mid_market)s WHEN 4 THEN %(smb)s
            WHEN 5 THEN %(enterprise)s WHEN 6 THEN %(mid_market)s END AS t_computed,
        CASE WHEN NOT gone THEN COALESCE(t_segment, CASE t WHEN 1 THEN %(strategic)s WHEN 2 THEN %(enterprise)s
            WHEN 3 THEN %(mid_market)s WHEN 4 THEN %(smb)s WHEN 5 THEN %(enterprise)s WHEN 6 THEN %(mid_market)s END)
            END AS t_effective,
        CASE WHEN NOT gone THEN t_until END AS t_until,
        CASE WHEN gone THEN 'excluded' WHEN t = 1 THEN 'matched'
            WHEN t = 2 AND t1 IS NULL OR t = 3 AND (t1 IS NULL OR t2 IS NULL)
                OR t = 4 AND (t1 IS NULL OR t2 IS NULL OR t3 IS NULL)
                OR t = 5 AND (t1 IS NULL OR t3 IS NULL OR t4 IS NULL)
                OR t = 6 AND (t1 IS NULL OR t2 IS NULL OR t4 IS NULL OR t5 IS NULL) THEN 'provisional'
            WHEN t IS NOT NULL THEN 'matched'
            WHEN t1 IS NULL OR t2 IS NULL OR t3 IS NULL OR t4 IS NULL OR t5 IS NULL OR t6 IS NULL THEN 'missing_data'
            ELSE 'no_match' END AS t_reason,
        CASE t WHEN 1 THEN 'strategic/value' WHEN 2 THEN 'enterprise/value' WHEN 3 THEN 'mid_market/value'
            WHEN 4 THEN 'smb/value' WHEN 5 THEN 'enterprise/size' WHEN 6 THEN 'mid_market/size' ELSE '' END AS t_rule,
        CASE WHEN gone OR t = 1 THEN '{}' WHEN t2 IS NULL OR t5 IS NULL OR t6 IS NULL OR arr IS NULL THEN
            CASE WHEN t IS NULL OR t = 2 AND t1 IS NULL OR t = 3 AND (t1 IS NULL OR t2 IS NULL)
                    OR t = 4 AND (t1 IS NULL OR t2 IS NULL OR t3 IS NULL)
                    OR t = 5 AND (t1 IS NULL OR t3 IS NULL OR t4 IS NULL)
                    OR t = 6 AND (t1 IS NULL OR t2 IS NULL OR t4 IS NULL OR t5 IS NULL)
                THEN array_remove(ARRAY[CASE WHEN arr IS NULL THEN 'arr' END,
                    CASE WHEN employee_count IS NULL AND t IS NULL THEN 'employee_count' END,
                    CASE WHEN t2 IS NULL AND e_effective IS NULL AND t IS DISTINCT FROM 5 THEN 'engagement' END], NULL)
                ELSE '{}' END
            ELSE '{}' END AS t_missing,
        CASE WHEN t = 1 AND (t2 OR t3 OR t4 OR t5 OR t6) OR t = 2 AND (t3 OR t4 OR t6) OR t = 3 AND (t4 OR t5)
                OR t = 4 AND (t5 OR t6) OR t = 5 AND t6 THEN array_remove(ARRAY[
            CASE WHEN (t2 OR t5) AND t NOT IN (2, 5) THEN 'enterprise' END,
            CASE WHEN (t3 OR t6) AND t NOT IN (3, 6) THEN 'mid_market' END,
            CASE WHEN t4 AND t <> 4 THEN 'smb' END], NULL) ELSE '{}' END AS t_conflict
    FROM ranked OFFSET 0
),
"""

_DIMENSIONS = {"e": "engagement", "i": "industry", "l": "lifecycle", "t": "tier"}

_SAYS_ELSE = """
    ({x}.account_id IS NULL OR {x}.computed_id IS DISTINCT FROM {d}_computed
     OR {x}.effective_id IS DISTINCT FROM {d}_effective OR {x}.override_until IS DISTINCT FROM {d}_until
     OR {x}.without_override_id IS DISTINCT FROM CASE WHEN {d}_until IS NOT NULL THEN {d}_computed END
     OR {x}.reason <> {d}_reason OR {x}.rule_key <> {d}_rule OR {x}.missing <> {d}_missing
     OR {x}.conflict <> {d}_conflict)
"""
_DIFFERS = "({says_else} OR {x}.next_flip_at IS DISTINCT FROM {d}_flip)"

_CHANGED_ROWS = """
    SELECT id AS account_id, %({name})s AS dimension_id, {d}_computed AS computed_id, {d}_effective AS effective_id,
        CASE WHEN {d}_until IS NOT NULL THEN {d}_computed END AS without_override_id, {d}_until AS override_until,
        {d}_reason AS reason, {d}_rule AS rule_key, {d}_missing AS missing, {d}_conflict AS conflict,
        {d}_new AS is_new, {d}_was AS was_effective, {d}_since AS since,
        COALESCE({d}_version, 0) + {d}_says_else::int AS version, {d}_flip AS next_flip_at,
        NOT {d}_new AND {d}_was_computed IS NOT DISTINCT FROM {d}_computed AS is_computed_same,
        {d}_computed_since AS computed_since, {d}_decided AS decided, facts,
        CASE WHEN NOT {d}_says_else THEN {d}_changed END AS changed_at,
        CASE WHEN NOT {d}_says_else THEN {d}_decided_by END AS decided_by
    FROM differing WHERE {d}_differs
"""

_COLUMNS = (
    *("account_id", "dimension_id", "computed_id", "effective_id", "without_override_id", "reason", "rule_key"),
    *("missing", "conflict", "is_provisional", "is_held", "override_until", "next_flip_at", "framework_version_id"),
    *("version", "effective_since", "changed_at", "computed_since", "decided_with"),
)
_INSERT = f"""
    INSERT INTO accounts_assignment ({", ".join(_COLUMNS)})
    SELECT account_id, dimension_id, computed_id, effective_id, without_override_id, reason, rule_key, missing,
        conflict, reason = 'provisional', false, override_until, next_flip_at,
        COALESCE(decided_by, %(version_id)s), version,
        CASE WHEN NOT is_new AND was_effective IS NOT DISTINCT FROM effective_id THEN since ELSE %(as_of)s END,
        COALESCE(changed_at, %(as_of)s), CASE WHEN is_computed_same THEN computed_since ELSE %(as_of)s END,
        CASE WHEN is_computed_same THEN decided ELSE facts END
    FROM changed"""
_WRITTEN = f"""
, added AS ({_INSERT} WHERE is_new),
written AS ({_INSERT} WHERE NOT is_new
    ON CONFLICT (account_id, dimension_id) DO UPDATE SET
        {", ".join(f"{column} = EXCLUDED.{column}" for column in _COLUMNS[2:])}
),
logged AS (
    INSERT INTO accounts_transition (account_id, dimension_id, from_segment_id, to_segment_id, reason, cause, rule_key,
        framework_version_id, run_id, version, effective_at, epoch)
    SELECT account_id, dimension_id, was_effective, effective_id, reason,
        CASE WHEN is_new THEN 'initial' ELSE 'data' END, rule_key, %(version_id)s, %(run_id)s, version,
        %(as_of)s, 1
    FROM changed WHERE is_new OR was_effective IS DISTINCT FROM effective_id
)
SELECT count(*) FROM changed
"""


def assignment_sql(*, in_chunks: bool) -> str:
    """One statement that evaluates, compares with what is stored and writes what differs; returns how many rows.

    In chunks it takes the parameters `first` and `end`: account ids from first to below end.
    """
    return _changed_sql(in_chunks=in_chunks) + _WRITTEN


def moving_sql(*, in_chunks: bool) -> str:
    """One statement that evaluates and keeps in the table `moving` whose segment would be another one."""
    return (
        "INSERT INTO moving (account_id, dimension_id, was_effective, effective_id, reason) "
        + _changed_sql(in_chunks=in_chunks)
        + " SELECT account_id, dimension_id, was_effective, effective_id, reason FROM changed"
        " WHERE is_new OR was_effective IS DISTINCT FROM effective_id"
    )


def _changed_sql(*, in_chunks: bool) -> str:
    def within(column: str) -> str:
        return f"{column} >= %(first)s AND {column} < %(end)s" if in_chunks else "true"

    says_else = {d: _SAYS_ELSE.format(d=d, x=f"x_{d}") for d in _DIMENSIONS}
    differs = {d: _DIFFERS.format(d=d, x=f"x_{d}", says_else=says_else[d]) for d in _DIMENSIONS}
    joins = "".join(
        f" LEFT JOIN accounts_assignment x_{d} ON x_{d}.account_id = outcome.id"
        f" AND x_{d}.dimension_id = %({name})s AND {within(f'x_{d}.account_id')}"
        for d, name in _DIMENSIONS.items()
    )
    stored = ", ".join(
        f"x_{d}.account_id IS NULL AS {d}_new, x_{d}.effective_id AS {d}_was, x_{d}.effective_since AS {d}_since,"
        f" x_{d}.version AS {d}_version, x_{d}.computed_id AS {d}_was_computed, x_{d}.decided_with AS {d}_decided,"
        f" x_{d}.computed_since AS {d}_computed_since, x_{d}.changed_at AS {d}_changed,"
        f" x_{d}.framework_version_id AS {d}_decided_by, {differs[d]} AS {d}_differs,"
        f" {says_else[d]} AS {d}_says_else"
        for d in _DIMENSIONS
    )
    rows = " UNION ALL ".join(_CHANGED_ROWS.format(d=d, name=name) for d, name in _DIMENSIONS.items())
    return (
        _EVALUATED.replace("{accounts}", within("a.id"))
        + f"differing AS MATERIALIZED (SELECT outcome.*, {stored} FROM outcome{joins}"
        + f" WHERE {' OR '.join(differs.values())}), changed AS MATERIALIZED ({rows})"
    )


DISTRIBUTION = """
INSERT INTO accounts_distributionsnapshot (dimension_id, segment_id, accounts, arr, taken_at)
SELECT x.dimension_id, x.effective_id, count(*), COALESCE(sum(a.arr), 0), %(as_of)s
FROM accounts_assignment x JOIN accounts_account a ON a.id = x.account_id
WHERE x.dimension_id = ANY(%(dimensions)s) AND a.stage = 'customer' AND a.deleted_at IS NULL GROUP BY 1, 2
"""
"""How many customers with how much ARR each segment holds, as a run keeps it at its end."""
