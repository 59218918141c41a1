"""A schema of the bench's own: made, migrated, measured in, dropped. The installation's tables are not touched.

The search path is part of how the connection is opened, so every connection of this process, also one that is
opened again or by another thread, sees the bench's tables and no others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from accounts.evaluation import engine
from frameworks.database_rules import tables_with_trigger


@contextmanager
def own_schema(name: str, *, keep: bool = False) -> Iterator[None]:
    """Everything inside runs in the new schema `name`, which is dropped at the end unless `keep`."""
    options = connection.settings_dict["OPTIONS"]
    before = options.get("options", "")
    _run(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    options["options"] = f"{before} -c search_path={name} -c statement_timeout=0 -c lock_timeout=0"
    _forget()
    try:
        yield
    finally:
        options["options"] = before
        _forget()
        if not keep:
            _run(sql.SQL("SET lock_timeout = 0; DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            connection.close()


def migrate_own_schema() -> None:
    """The installation's tables, empty, without the triggers that refuse to bring them back to where a round began."""
    call_command("migrate", verbosity=0, interactive=False)
    for trigger in ("append_only_truncate", "append_only"):
        for table in tables_with_trigger("default", trigger):
            named = {"table": sql.Identifier(table), "trigger": sql.Identifier(trigger)}
            _run(sql.SQL("ALTER TABLE {table} DISABLE TRIGGER {trigger}").format(**named))


def _forget() -> None:
    """What this process remembers of one schema is wrong in another."""
    connection.close()
    ContentType.objects.clear_cache()
    engine._compiled_plan.cache_clear()


def _run(statement: sql.Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
