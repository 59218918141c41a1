"""Who may do what, as a table that a person reads: generated from the code and compared with the file.

After a wanted change: `python -m pytest tests/governance/test_permission_matrix.py` fails and prints the new
table; write it to permission_matrix.csv in the same commit.
"""

import csv
import io
from pathlib import Path

from django.contrib.auth.models import Group

from frameworks.roles import Role, permissions_of

MATRIX = Path(__file__).with_name("permission_matrix.csv")


def generated() -> str:
    held = {role: permissions_of(role) for role in Role}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["permission", *(role.value for role in Role)])
    for permission in sorted(set().union(*held.values())):
        writer.writerow([permission, *("yes" if permission in held[role] else "" for role in Role)])
    return out.getvalue()


def test_permissions_of_roles_are_those_of_the_matrix():
    assert generated() == MATRIX.read_text()


def test_groups_in_the_database_hold_exactly_the_matrix(db):
    held = {
        group.name: {f"{row.content_type.app_label}.{row.codename}" for row in group.permissions.all()}
        for group in Group.objects.prefetch_related("permissions__content_type")
    }

    assert held == {role.value: permissions_of(role) for role in Role}


def test_nobody_but_a_person_decides():
    assert "governance.decide_override" not in permissions_of(Role.INTEGRATION)
