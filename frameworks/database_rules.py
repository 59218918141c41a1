"""What the database itself refuses: append-only tables, rows that are never deleted, the application's role.

Plain SQL triggers, made in migrations: a library's protection that any role can switch off with a SET is
none. An append-only table carries the triggers `append_only` and `append_only_truncate`; the application's
role has no UPDATE, DELETE or TRUNCATE there, so the trigger is the second lock and not the only one.
"""

from typing import Any

from django.conf import settings
from django.db import connections
from django.db.migrations import RunSQL
from psycopg import sql

REFUSE_CHANGE = """
CREATE FUNCTION cutline_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def create_refusal() -> RunSQL:
    """The one trigger function behind every rule of this module; first in the first migration."""
    return RunSQL(REFUSE_CHANGE, "DROP FUNCTION cutline_refuse_change()")


def append_only(table: str) -> RunSQL:
    """Rows of `table` are written once: no UPDATE, DELETE or TRUNCATE by anyone."""
    return RunSQL(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION cutline_refuse_change('rows are written once');
        CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION cutline_refuse_change('rows are written once');
        """,
        f"""
        DROP TRIGGER append_only_truncate ON {table};
        DROP TRIGGER append_only ON {table};
        """,
    )


def never_deleted(table: str) -> RunSQL:
    """Rows of `table` may change but stay for ever, so that what points to them needs no checked key."""
    return RunSQL(
        f"""
        CREATE TRIGGER never_deleted BEFORE DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION cutline_refuse_change('rows are kept for ever');
        CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION cutline_refuse_change('rows are kept for ever');
        """,
        f"""
        DROP TRIGGER append_only_truncate ON {table};
        DROP TRIGGER never_deleted ON {table};
        """,
    )


def tables_with_trigger(using: str, name: str) -> list[str]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE t.tgname = %s AND n.nspname = current_schema() ORDER BY 1",
            [name],
        )
        return [row[0] for row in cursor.fetchall()]


def grant_application_role(*, using: str = "default", **kwargs: Any) -> None:
    """Give the application's role what it needs and no more; nothing where one role does both."""
    role = settings.DATABASE_APPLICATION_ROLE
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname <> current_user, current_schema() FROM pg_roles WHERE rolname = %s", [role])
        row = cursor.fetchone()
        if not row or not row[0]:
            return
        name, schema = sql.Identifier(role), sql.Identifier(row[1])
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {name}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
            "REVOKE INSERT, UPDATE, DELETE ON {schema}.django_migrations FROM {name}",
        ):
            cursor.execute(sql.SQL(statement).format(name=name, schema=schema))
        for trigger, rights in (("append_only", "UPDATE, DELETE"), ("never_deleted", "DELETE")):
            for table in tables_with_trigger(using, trigger):
                revoke = sql.SQL("REVOKE " + rights + " ON {table} FROM {name}")
                cursor.execute(revoke.format(table=sql.Identifier(table), name=name))
