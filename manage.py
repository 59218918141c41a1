#!/usr/bin/env python
"""Run a management command, starting the embedded database and broker when it needs them and none is configured."""

import os
import sys

# These own the schema; everything else runs with the application's role, as in production.
OWNER_COMMANDS = {
    "bench",
    "dbshell",
    "flush",
    "lintmigrations",
    "makemigrations",
    "migrate",
    "showmigrations",
    "sqlflush",
    "sqlmigrate",
    "squashmigrations",
    "up",
}
COMMANDS_WITHOUT_SERVERS = {
    "--help",
    "--version",
    "-h",
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "reset",
    "spectacular",
    "version",
}


def main() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "segmentation_site.settings")
    os.environ.setdefault("CUTLINE_PROCESS", "command")
    if command in OWNER_COMMANDS:
        os.environ.setdefault("CUTLINE_DATABASE_ROLE", "owner")
    if command not in COMMANDS_WITHOUT_SERVERS and "--help" not in sys.argv:
        from segmentation_site import embedded

        try:
            embedded.provide_environment()
        except embedded.EmbeddedServerError as error:
            sys.exit(str(error))

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
