"""An approval over dissent that was taken back lets nothing into force, and is nobody's own answer."""

from importlib import import_module

from django.db import migrations
from django.db.migrations import RunSQL

BEFORE: str = import_module("frameworks.migrations.0009_approved_over_dissent").MOVES

# The same function with two conditions more.
OWN_ANSWERS = "AND s.part_kind = r.part_kind AND s.part_key = r.part_key AND s.decision <> 'overrule'"
STANDS = "AND o.covered_digest = r.covered_digest AND o.id > newest.id"
MOVES = BEFORE.replace(OWN_ANSWERS, f"{OWN_ANSWERS} AND NOT (s.decision = 'withdraw' AND s.meaning = 'over dissent')")
MOVES = MOVES.replace(
    STANDS,
    f"""{STANDS} AND NOT EXISTS (
                    SELECT FROM frameworks_signoff w JOIN frameworks_frameworkversion wv ON wv.id = w.version_id
                    WHERE w.framework_id = NEW.framework_id AND w.code = r.code AND w.decision = 'withdraw'
                      AND w.meaning = 'over dissent' AND w.part_kind = r.part_kind AND w.part_key = r.part_key
                      AND wv.number <= NEW.number AND w.id > o.id
                  )""",
)


class Migration(migrations.Migration):
    dependencies = [("frameworks", "0009_approved_over_dissent")]

    operations = [RunSQL(MOVES, BEFORE)]
