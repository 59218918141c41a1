"""The chain tells an edit, a gap, a swap and a cut tail apart, and nothing governed passes it by."""

import json
import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from frameworks.governed import governed
from governance.models import AuditEntry, AuditHead
from governance.services.audit import anchor_chain, entry_hash, verify_chain
from tests.governance.makers import AT, make_person


def act(user: Any, number: int) -> None:
    with governed("test.acted", actor=user, target=user, at=AT + timedelta(seconds=number)) as act:
        act.after = {"number": str(number)}


@pytest.fixture
def chain(person: Any) -> list[AuditEntry]:
    user = person("Ravi Patel")
    for number in range(5):
        act(user, number)
    return list(AuditEntry.objects.order_by("seq"))


def as_intruder(statement: str, *parameters: Any) -> None:
    """Change the table as somebody could who owns the database and switches the triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE governance_auditentry DISABLE TRIGGER append_only")
        cursor.execute(statement, parameters)
        cursor.execute("ALTER TABLE governance_auditentry ENABLE TRIGGER append_only")


def found() -> tuple[str, int] | None:
    finding = verify_chain().finding
    return (finding.kind, finding.seq) if finding else None


def test_untouched_chain_is_sound(chain):
    verification = verify_chain()

    assert (verification.is_sound, verification.entries, verification.last_hash) == (True, 5, chain[-1].hash)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reason", "'another'"),
        ("actor_name", "'Somebody'"),
        ("after", """'{"number": "9"}'"""),
        ("at", "at + interval '1 microsecond'"),
        ("request_id", "'x'"),
    ],
)
def test_changed_field_is_an_edit_of_that_entry(chain, column, value):
    as_intruder(f"UPDATE governance_auditentry SET {column} = {value} WHERE seq = 3")

    assert found() == ("edited", 3)


def test_edit_with_its_hash_made_to_fit_shows_at_the_next_entry(chain):
    entry = chain[2]
    entry.reason = "another"
    as_intruder("UPDATE governance_auditentry SET reason = 'another', hash = %s WHERE seq = 3", entry_hash(entry))

    assert found() == ("broken", 4)


def test_edit_of_the_last_entry_with_its_hash_shows_at_the_head(chain):
    entry = chain[4]
    entry.reason = "another"
    as_intruder("UPDATE governance_auditentry SET reason = 'another', hash = %s WHERE seq = 5", entry_hash(entry))

    assert found() == ("head", 5)


def test_removed_entry_is_a_gap(chain):
    as_intruder("DELETE FROM governance_auditentry WHERE seq = 3")

    assert found() == ("gap", 3)


def test_exchanged_entries_are_a_swap(chain):
    as_intruder(
        "UPDATE governance_auditentry SET seq = CASE seq WHEN 2 THEN 103 WHEN 3 THEN 102 END WHERE seq IN (2, 3)"
    )
    as_intruder("UPDATE governance_auditentry SET seq = seq - 100 WHERE seq > 100")

    assert found() == ("swapped", 2)


def test_cut_tail_is_a_truncation(chain):
    as_intruder("DELETE FROM governance_auditentry WHERE seq > 3")

    assert found() == ("truncated", 4)


def test_cut_tail_with_the_head_set_back_is_seen_only_by_the_anchor(chain, anchor_file):
    anchor_chain(at=AT)
    as_intruder("DELETE FROM governance_auditentry WHERE seq > 3")
    AuditHead.objects.update(seq=3, hash=chain[2].hash)

    assert found() == ("truncated", 4)
    anchor_file.unlink()
    assert found() is None


def test_whole_chain_written_anew_is_seen_only_by_the_anchor(chain, anchor_file):
    anchor_chain(at=AT)
    previous = "0" * 64
    for entry in chain:
        entry.reason, entry.prev_hash = "another", previous
        entry.hash = previous = entry_hash(entry)
        as_intruder(
            "UPDATE governance_auditentry SET reason = 'another', prev_hash = %s, hash = %s WHERE seq = %s",
            entry.prev_hash,
            entry.hash,
            entry.seq,
        )
    AuditHead.objects.update(hash=previous)

    assert found() == ("edited", 5)


def test_entry_beyond_the_head_is_a_finding(chain):
    AuditHead.objects.update(seq=4, hash=chain[3].hash)

    assert found() == ("head", 5)


def test_anchor_is_written_once_for_the_same_end(chain, anchor_file):
    anchor_chain(at=AT)
    anchor_chain(at=AT)

    (line,) = anchor_file.read_text().splitlines()
    assert json.loads(line) == {
        "seq": 5,
        "hash": chain[-1].hash,
        "entries": 5,
        "at": "2026-11-21T12:00:00.000000Z",
    }


def test_anchor_that_cannot_be_read_is_a_finding(chain, anchor_file):
    anchor_file.write_text('{"seq": 5')

    assert found() == ("anchor", 1)


def test_unsound_chain_gets_no_anchor(chain, anchor_file):
    as_intruder("DELETE FROM governance_auditentry WHERE seq = 3")

    anchor_chain(at=AT)

    assert not anchor_file.exists()


def test_command_verify_names_the_first_bad_entry_and_fails(chain):
    as_intruder("UPDATE governance_auditentry SET reason = 'x' WHERE seq IN (2, 4)")

    with pytest.raises(CommandError, match="edited: Entry 2 ") as failure:
        call_command("audit", "verify", stdout=StringIO())

    assert failure.value.returncode == 1


def test_command_verify_says_how_many_entries_are_sound(chain):
    out = StringIO()

    call_command("audit", "verify", stdout=out)

    assert out.getvalue() == f"sound: 5 entries, the last has hash {chain[-1].hash}\n"


def test_command_anchor_writes_the_end_outside_the_database(chain, anchor_file):
    call_command("audit", "anchor", stdout=StringIO())

    assert chain[-1].hash in anchor_file.read_text()


def test_failed_act_leaves_no_entry(person):
    user = person("Ravi Patel")

    with pytest.raises(ZeroDivisionError), governed("test.acted", actor=user, target=user, at=AT):
        raise ZeroDivisionError

    assert not AuditEntry.objects.exists()
    assert AuditHead.objects.get().seq == 0


def test_nested_acts_are_one_entry(person):
    user = person("Ravi Patel")

    with governed("test.outer", actor=user, target=user, at=AT), governed("test.inner", actor=None, target=user, at=AT):
        pass

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_kind, entry.after) == ("test.outer", "person", {"joined": ["test.inner"]})


def test_line_breaks_in_a_name_stay_inside_the_entry(person):
    user = person("Eve\nINFO forged \x1b[31m")
    act(user, 1)

    assert AuditEntry.objects.get().actor_name == "Eve\nINFO forged \x1b[31m"
    assert verify_chain().is_sound


@pytest.mark.django_db(transaction=True)
def test_parallel_writers_never_fork_the_chain():
    user = make_person("Ravi Patel")
    together = threading.Barrier(8)

    def write(first: int) -> None:
        together.wait()
        try:
            for number in range(first, first + 5):
                act(user, number)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(place * 5,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found() is None
    assert AuditEntry.objects.count() == 40
