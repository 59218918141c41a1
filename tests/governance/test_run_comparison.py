"""An activation's page shows the run beside what people saw and signed before it."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AssignmentRun
from accounts.run_comparison import RunComparison, comparison_of
from accounts.services.runs import plan_study, start_reevaluation
from frameworks.models import Dimension, FrameworkVersion, VersionImpact
from frameworks.services.impact import impact_digest
from governance.services.activation import request_activation
from tests.accounts.activating import AT, push_through, work_off
from tests.frameworks.making import person
from tests.governance.test_impact import lower_strategic

LATER = AT + timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(active_world: None) -> list[Account]:
    return list(Account.objects.order_by("pk"))


def activated(version: FrameworkVersion) -> AssignmentRun:
    run = request_activation(version=version, actor=person("tomas", "revops"), at=LATER)
    return push_through(run, person("dana", "cs_ops"))


def compared(run: AssignmentRun) -> RunComparison:
    dimensions = {str(row.pk): row for row in Dimension.objects.filter(framework=run.framework)}
    found = comparison_of(run, dimensions)
    assert found is not None
    return found


def page(client: Client, run: AssignmentRun) -> str:
    client.force_login(person("iris", "auditor"))
    answer = client.get(reverse("accounts:run_detail", args=[run.uuid]))
    assert answer.status_code == 200
    return " ".join(re.sub("<[^>]+>", " ", answer.content.decode()).split())


def test_run_that_finds_what_was_previewed_says_so_in_words(accounts: list[Account], client: Client) -> None:
    version = lower_strategic()
    work_off(plan_study(version=version, actor=None, at=AT))

    run = activated(version)

    found = compared(run)
    assert (found.is_equal, found.outside, found.movers) == (True, 0, [])
    said = page(client, run)
    assert "Compared with the preview" in said
    assert "Exactly as previewed: the same accounts and ARR in all" in said
    assert "ARR previewed" not in said


def test_run_that_finds_something_else_shows_each_segment_and_who_moves_otherwise(
    accounts: list[Account], client: Client
) -> None:
    version = lower_strategic()
    work_off(plan_study(version=version, actor=None, at=AT))
    moving = Account.objects.get(pk=accounts[5].pk)
    Account.objects.filter(pk=moving.pk).update(arr=Decimal("255000.00"))

    run = activated(version)

    found = compared(run)
    tier = {line.segment.key if line.segment else "": line for line in dict(found.tables)["Customer Tier"]}
    assert (tier["strategic"].accounts, tier["enterprise"].more_accounts) == ((3, 2), 1)
    assert (tier["strategic"].more_arr, tier["strategic"].is_within) == (Decimal("-300000.00"), False)
    (mover,) = found.movers
    assert (mover.name, mover.previewed, mover.actual) == (moving.name, "Strategic", "")
    said = page(client, run)
    assert "Outside tolerance" in said
    assert "Nobody signed an impact" in said
    assert f"{moving.name} Customer Tier $300K to Strategic stays" in said


def test_difference_within_tolerance_is_told_as_such(accounts: list[Account]) -> None:
    version = lower_strategic()
    work_off(plan_study(version=version, actor=None, at=AT))
    Account.objects.filter(pk=accounts[5].pk).update(arr=Decimal("301000.00"))

    found = compared(activated(version))

    assert (found.is_equal, found.outside) == (False, 0)
    assert found.sentence == "Every segment is within the tolerance of 2 % of the preview."


def test_full_list_of_movers_names_no_difference_for_who_may_be_too_small(accounts: list[Account]) -> None:
    version = lower_strategic()
    work_off(plan_study(version=version, actor=None, at=AT))
    run = activated(version)
    kept: Any = compared(run).previewed.figures  # type: ignore[union-attr]
    big = [{**kept["movers"][0], "account": f"00000000-0000-4000-8000-{n:012}", "arr": "900000"} for n in range(100)]
    crowded = {**kept, "movers": big}
    first = VersionImpact.objects.filter(version=version).order_by("pk").first()
    actual = VersionImpact.objects.filter(version=version).order_by("pk").last()
    assert first is not None
    assert actual is not None
    found = compared(run)
    found.previewed = VersionImpact(version=version, figures=crowded, as_of=AT, digest=impact_digest(crowded, AT))

    names = {mover.uuid for mover in found.movers}

    assert str(accounts[5].uuid) not in names
    assert len(names) == 100


def test_other_runs_and_activations_without_a_preview_have_none(accounts: list[Account], client: Client) -> None:
    first = AssignmentRun.objects.get(kind="activation")
    again = start_reevaluation(framework=first.framework, actor=person("tomas", "revops"), at=LATER)
    dimensions = {str(row.pk): row for row in Dimension.objects.all()}

    assert comparison_of(first, dimensions) is None
    assert comparison_of(again, dimensions) is None
    assert "Compared with the preview" not in page(client, first)
