"""`manage.py framework`: a version out as a file, and a file in as a draft."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.evaluation import engine
from frameworks.models import Contribution, Framework, FrameworkVersion, Part, PartBody
from frameworks.querysets import contributor_ids
from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import create_framework, start_draft
from frameworks.services.exchange import apply_file, export_version
from tests.accounts.activating import AT, account, activate, signed_version
from tests.frameworks.making import Company, person, playbook, segment
from tests.frameworks.test_diff import signed_and_edited

__all__ = ["signed_and_edited"]

pytestmark = pytest.mark.django_db


def run(*arguments: Any) -> tuple[str, int]:
    """What the command said, and how it ended."""
    out = StringIO()
    try:
        call_command("framework", *map(str, arguments), stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def rows() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Framework, FrameworkVersion, Part, PartBody, Contribution))


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def file(company: Company, tmp_path: Path) -> Path:
    """The company's draft v0 as a file."""
    path = tmp_path / "main.yaml"
    path.write_text(export_version(company.version))
    return path


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_export_without_a_name_takes_the_only_framework(company, tmp_path):
    said, end = run("export")

    assert (end, said) == (0, export_version(company.version))
    assert run("export", "main", "--version", "0", "--out", tmp_path / "x.yaml")[1] == 0
    assert (tmp_path / "x.yaml").read_text() == said


def test_export_of_several_frameworks_asks_which(company):
    create_framework(name="Second", slug="second", template=None, actor=company.ravi, at=AT)

    with pytest.raises(CommandError, match="Say which framework: main, second"):
        run("export")


@pytest.mark.parametrize("version", ["7", "active", "x", "99999999999999"])
def test_export_of_a_version_that_is_not_there_is_refused(company, version):
    with pytest.raises(CommandError, match=f"main has no version {version}"):
        run("export", "main", "--version", version)


def test_plan_of_an_unchanged_export_says_no_changes(file):
    assert run("plan", file) == ("no changes\n", 0)


def test_plan_says_what_differs_and_writes_nothing(file):
    edit(file, "arr >= 100000", "arr >= 150000")
    before = rows()

    said, end = run("plan", file)

    assert end == 2
    assert "Compared with main v0 (draft)." in said
    assert "1 part differs; the highest level is semantic." in said
    assert "~ Segment Customer Tier / Enterprise [semantic]" in said
    assert "ARR ≥ $100,000 → ≥ $150,000" in said
    assert "warning no_anti_icp: Customer Tier: Enterprise and SMB have no anti-ICP list." in said
    assert rows() == before


def test_plan_does_not_keep_waiting_for_every_cell_and_says_so(file, monkeypatch):
    monkeypatch.setattr("accounts.services.checking.CELLS_WAITED_FOR", 4)
    edit(file, "arr >= 100000", "arr >= 150000")

    said, _ = run("plan", file)

    assert "warning cells_sampled: Customer Tier has" in said
    assert "4 of them were evaluated" in said


def test_diff_begins_with_what_it_has_to_say(company, file):
    edit(file, "Yearly value of signed subscriptions.", "What is invoiced a year.")

    said, end = run("diff", "0", file)

    assert end == 2
    assert said.splitlines() == [
        "1 part differs; the highest level is semantic.",
        "  ~ Definition ARR [semantic]",
        "      Wording Yearly value of signed subscriptions. → What is invoiced a year.",
    ]


def test_plan_counts_the_accounts_that_would_move(tmp_path):
    version = activate(signed_version()).framework_version
    ids = [account("Large", arr=Decimal("600000.00")).pk, account("Between", arr=Decimal("120000.00")).pk]
    engine.evaluate_accounts(account_ids=ids, at=AT)
    file = tmp_path / "main.yaml"
    file.write_text(export_version(version))
    edit(file, "arr in [100000, 500000)", "arr in [130000, 500000)")
    edit(file, "arr in [25000, 100000)", "arr in [25000, 130000)")

    with time_machine.travel(AT, tick=False):
        said, end = run("plan", file)

    assert end == 2
    assert "Of 2 accounts, as they are now:" in said
    assert "Customer Tier: 1 would move\n    Enterprise → Mid-Market: 1\n" in said
    assert "Lifecycle: nobody would move" in said


def test_apply_makes_a_draft_with_contributions_and_the_same_file_again_makes_none(company, file):
    edit(file, "Yearly value of signed subscriptions.", "Yearly value of all signed subscriptions.")

    said, end = run("apply", file, "--by", "Tomas@x.example")

    made = FrameworkVersion.objects.latest("pk")
    assert (end, said) == (0, "main v1 is a draft with the content of the file, contributed by Tomas.\n")
    assert (made.state, made.author) == ("draft", company.tomas)
    assert made.parts.get(kind="term", key="arr").body.body["wording"] == "Yearly value of all signed subscriptions."
    assert set(made.contributions.filter(contributed_by=company.tomas).values_list("source", flat=True)) == {"import"}
    before = rows()
    assert run("apply", file, "--by", "tomas@x.example")[0] == "no changes: main v1 (draft) says the same.\n"
    assert rows() == before


def test_apply_to_an_active_version_contributes_the_changed_parts_only(tmp_path):
    version = activate(signed_version()).framework_version
    text = export_version(version).replace("weekly_active_share >= 40", "weekly_active_share >= 45")
    tomas = person("tomas", "revops")

    made, is_new = apply_file(text=text, actor=tomas, at=AT + timedelta(hours=1), source="import")

    assert (is_new, made.number, made.base_version) == (True, 1, version)
    written = made.contributions.values_list("kind", "key", "contributed_by")
    assert list(written) == [("segment", "engagement/high", tomas.pk)]
    old, new = (each.parts.get(kind="segment", key="engagement/high").body.body for each in (version, made))
    ids = [[item["id"] for item in body["rules"][0]["criteria"]["root"]["items"]] for body in (old, new)]
    assert ids[0] == ids[1]


def test_writers_of_the_exported_draft_stay_contributors_of_what_is_made_of_it():
    version = activate(signed_version()).framework_version
    ravi, tomas = version.author, person("tomas", "revops")
    draft = start_draft(framework=version.framework, actor=ravi, at=AT)
    text = export_version(draft).replace("weekly_active_share >= 40", "weekly_active_share >= 45")
    first, _ = apply_file(text=text, actor=ravi, at=AT, source="import")

    second, is_new = apply_file(
        text=export_version(first).replace("health_score >= 70", "health_score >= 75"),
        actor=tomas,
        at=AT,
        source="import",
    )

    assert is_new
    assert contributor_ids(second) == {ravi.pk, tomas.pk}
    assert set(second.contributions.values_list("key", flat=True)) == {"engagement/high"}


def test_writers_of_a_draft_that_the_file_does_not_come_from_are_no_contributors():
    version = activate(signed_version()).framework_version
    tomas = person("tomas", "revops")
    text = export_version(version)
    apply_file(
        text=text.replace("health_score >= 70", "health_score >= 75"), actor=version.author, at=AT, source="import"
    )

    other, _ = apply_file(text=text.replace("every_days: 7", "every_days: 8"), actor=tomas, at=AT, source="import")

    assert contributor_ids(other) == {tomas.pk}


def test_part_left_out_of_the_file_is_gone_from_the_draft_and_noted(company, file):
    text = file.read_text()
    start = text.index("    account:\n      label: Account")
    file.write_text(text[:start] + text[text.index("    arr:\n", start) :])

    run("apply", file, "--by", "ravi@x.example")

    made = FrameworkVersion.objects.latest("pk")
    assert not made.parts.filter(key="account").exists()


def test_apply_of_an_unknown_address_starts_a_framework_that_exports_the_same(company, file):
    edit(file, "framework: main", "framework: elsewhere")

    said, end = run("apply", file, "--by", "ravi@x.example")

    assert (end, said[:16]) == (0, "elsewhere v0 is ")
    assert run("export", "elsewhere")[0] == file.read_text()


def test_file_of_a_version_that_was_replaced_is_refused():
    first = activate(signed_version()).framework_version
    old = export_version(first)
    Framework.objects.filter(pk=first.framework_id).update(
        active_version=FrameworkVersion.objects.create(
            framework=first.framework, number=1, base_version=first, author=first.author, state="activated"
        )
    )
    before = rows()

    with pytest.raises(Exception, match="made from v0, and v1 is active since"):
        apply_file(
            text=old.replace("health_score >= 70", "health_score >= 75"), actor=first.author, at=AT, source="import"
        )

    assert rows() == before


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("arr >= 100000", "arr >=", "/parts/segment/tier/enterprise/rules/0/criteria: at character"),
        ("label: ARR", "label: [ARR]", "/parts/term/arr/label: Write text here"),
        ("parts:", "parts: &x", "anchors and aliases"),
        ("data_type: integer", "data_type: decimal\n      scale: 2", "accounts store this as whole number"),
        ("framework: main", "framework: a b", "/framework: "),
    ],
)
def test_apply_of_a_wrong_file_names_the_place_and_writes_nothing(file, before, after, said):
    edit(file, before, after)
    stored = rows()

    with pytest.raises(CommandError) as refusal:
        run("apply", file, "--by", "ravi@x.example")

    assert said in str(refusal.value)
    assert rows() == stored


@pytest.mark.parametrize(("who", "said"), [("leah@x.example", "may not"), ("nobody@x.example", "Nobody here has")])
def test_apply_by_somebody_who_may_not_is_refused_and_writes_nothing(file, who, said):
    edit(file, "arr >= 100000", "arr >= 150000")
    stored = rows()

    with pytest.raises(CommandError, match=said):
        run("apply", file, "--by", who)

    assert rows() == stored


def test_diff_compares_versions_and_files(file):
    edit(file, "arr >= 100000", "arr >= 150000")
    run("apply", file, "--by", "ravi@x.example")

    assert run("diff", "0", "0") == ("no changes\n", 0)
    assert run("diff", "v1", file) == ("no changes\n", 0)
    said, end = run("diff", "0", "draft")
    assert (end, "ARR ≥ $100,000 → ≥ $150,000" in said) == (2, True)


def test_diff_since_somebody_signed_compares_with_what_they_saw(signed_and_edited):
    said, end = run("diff", "draft", "--since-signed-by", "marcus@x.example")

    assert end == 2
    assert said.startswith("Compared with v0 as Marcus signed it on 2026-11-21 10:00.\n1 part differs;")
    assert "Definition ARR" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("draft", "--since-signed-by", "leah@x.example"), "Leah has not said Yes to v0 or an earlier version"),
        (("draft", "--since-signed-by", "nobody@x.example"), "Nobody here has the e-mail address"),
        (("0", "draft", "--since-signed-by", "marcus@x.example"), "Name two sides, or one version with"),
        (("draft",), "Name two sides, or one version with"),
    ],
)
def test_diff_since_nothing_was_signed_is_refused(signed_and_edited, arguments, said):
    with pytest.raises(CommandError, match=said):
        run("diff", *arguments)


def test_applied_file_keeps_the_order_of_dimensions(company, tmp_path):
    company.save("dimension", "region", {"label": "Region", "segments": ["north"]})
    company.save("segment", "region/north", {**segment("North", ("ge", "arr", "0")), "dimension": "region"})
    company.save("playbook", "region/north", playbook("Call them"))
    before = [part.key for part in company.version.parts.filter(kind="dimension").order_by("pk")]
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    file = tmp_path / "main.yaml"
    file.write_text(export_version(company.version))
    edit(file, "label: Customer Tier", "label: Tier")

    version, _ = apply_file(text=file.read_text(), actor=company.ravi, at=AT, source="import")

    assert before == ["tier", "region"]
    assert [part.key for part in version.parts.filter(kind="dimension").order_by("pk")] == before


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "x.yaml"
    if content:
        path.write_bytes(content)

    with pytest.raises(CommandError, match=r"x\.yaml"):
        run("plan", path)


def test_plan_warns_of_text_with_two_readings_and_says_how_it_took_it(file):
    edit(file, "arr >= 100000", "employee_count >= 2000 or arr >= 500000")

    said, end = run("plan", file)

    assert end == 2
    assert "warning [scope_ambiguous] tier/enterprise, rules/0/criteria: Write parentheses around" in said
    assert "It was taken as: " in said
    assert "(" in said.partition("It was taken as: ")[2].splitlines()[0]
