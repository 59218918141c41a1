"""`manage.py accounts import`, and what the demo generates beside its file."""

from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.demo_data import PANEL, PANEL_MAPPING
from accounts.demo_data.generate import OPPORTUNITY, generate_demo_values
from accounts.models import Account, Import, PendingEvaluation
from accounts.services.intake import import_file
from tests.accounts.importing import AT
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> None:
    call_command("accounts", "import", str(PANEL), "--mapping", str(PANEL_MAPPING), *arguments)


def test_command_imports_the_chosen_periods_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    ravi = person("ravi", "revops")

    run("--period", "2021", "--actor", "RAVI@x.example", "--yes")

    batch = Import.objects.get()
    assert Account.objects.count() == 1000
    assert (batch.state, batch.uploaded_by, batch.periods) == ("applied", ravi, ["2021"])
    assert "1,000" in capsys.readouterr().out


def test_command_asks_first_and_no_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "n")

    run()

    assert Import.objects.get().state == Import.State.CANCELLED
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--actor", "nobody@x.example"], "Nobody here"), (["--actor", "leah@x.example"], "permission")],
)
def test_command_refuses_people_who_may_not_import(arguments: list[str], words: str) -> None:
    person("leah", "csm")

    with pytest.raises(CommandError, match=words):
        run(*arguments, "--yes")

    assert not Account.objects.exists()


def test_command_names_every_problem_of_file_and_mapping(tmp_path: Path) -> None:
    file, mapping = tmp_path / "a.csv", tmp_path / "m.yaml"
    file.write_text("id,colour,size\n1,red,XL\n")
    mapping.write_text("source: crm\nexternal_id: id\ncolumns: {}\n")

    with pytest.raises(CommandError) as caught:
        call_command("accounts", "import", str(file), "--mapping", str(mapping), "--yes")

    assert "“colour”" in str(caught.value)
    assert "“size”" in str(caught.value)
    with pytest.raises(CommandError, match="no file"):
        call_command("accounts", "import", str(file), "--mapping", str(tmp_path / "none.yaml"))


def generated() -> dict[str, tuple[object, ...]]:
    fields = ("stage", "arr", "health_score", "weekly_active_share", "last_activity_on", "customer_since_on")
    rows = Account.objects.values_list("identifiers__external_id", *fields, f"attributes__{OPPORTUNITY}", "csm")
    return {row[0]: row[1:] for row in rows}


def test_generated_values_are_the_same_each_time_plausible_and_marked() -> None:
    import_file(path=PANEL, mapping=PANEL_MAPPING, actor=None, at=AT, periods=["2020"])
    PendingEvaluation.objects.all().delete()
    csms = [person("leah", "csm"), person("jonas", "csm")]

    first = generate_demo_values(csms=csms, aes=[], as_of=date(2026, 11, 21), at=AT)
    values = generated()
    second = generate_demo_values(csms=csms, aes=[], as_of=date(2026, 11, 21), at=AT)
    Account.objects.update(provenance={})
    generate_demo_values(csms=csms, aes=[], as_of=date(2026, 11, 21), at=AT)

    assert (first, second) == (1000, 0)
    assert generated() == values
    customers = Account.objects.filter(stage="customer")
    assert 850 < customers.count() < 950
    missing = customers.filter(arr__isnull=True).count()
    assert 20 < missing < 80
    assert not customers.filter(arr__lt=5000).exists()
    assert not customers.filter(arr__gt=2_000_000).exists()
    assert set(Account.objects.values_list("csm", flat=True)) == {csm.pk for csm in csms}
    told = Account.objects.values_list("arr", "health_score", "contract_end_on", "provenance")
    keys = ("arr", "health_score", "contract_end_on")
    for *known, provenance in told:
        said = {key for key in keys if provenance.get(key, {}).get("source") == "generated"}
        assert said == {key for key, value in zip(keys, known, strict=True) if value is not None}
    assert PendingEvaluation.objects.count() == 2000
