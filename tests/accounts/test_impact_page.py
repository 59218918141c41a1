"""The impact page: empty, while it is computed, with figures; who may compute it."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.impact_page import ImpactPage
from accounts.models import Account, AssignmentRun
from frameworks.models import Framework, FrameworkVersion, User
from frameworks.services.impact import record_impact
from tests.accounts.activating import account, next_version, work_off
from tests.frameworks.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def lowered_world(active_world: None) -> None:
    next_version(Framework.objects.get(), replacing={"500000.00": "260000.00"})


@pytest.fixture
def version(lowered_world: None) -> FrameworkVersion:
    return FrameworkVersion.objects.latest("pk")


@pytest.fixture
def tomas() -> User:
    return person("tomas", "revops")


def segment(before: int, after: int) -> dict[str, Any]:
    leaving = {"accounts": max(0, before - after), "arr": "0"}
    return {"accounts": after, "arr": "0", "before": {"accounts": before, "arr": "0"}, "leaving": leaving}


def page_of(version: FrameworkVersion, name: str = "version_impact") -> str:
    return reverse(f"accounts:{name}", args=[version.framework.slug, version.number])


def text(client: Client, url: str) -> str:
    return " ".join(client.get(url).content.decode().split())


def test_impact_not_computed_yet_says_what_will_be_here(client: Client, version: FrameworkVersion, tomas: User) -> None:
    client.force_login(tomas)

    assert "Not computed yet" in text(client, page_of(version))


def test_computing_shows_progress_then_figures_and_exports_the_movers(
    client: Client, version: FrameworkVersion, tomas: User
) -> None:
    client.force_login(tomas)
    client.post(page_of(version, "impact_compute"))
    study = AssignmentRun.objects.get(kind="impact")
    assert "Looking at every account" in text(client, page_of(version))

    work_off(study)

    assert client.get(page_of(version, "impact_progress"))["HX-Refresh"] == "true"
    said = text(client, f"{page_of(version)}?dimension=customer_tier&figures=arr")
    assert "You confirm that 1 account with $300K moves." in said
    assert "Company 5" in said
    assert "Enterprise → Strategic" in said
    rows = b"".join(client.get(page_of(version, "impact_export")).streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(rows) == 2
    assert "customer_tier,enterprise,strategic" in rows[1]


def test_impact_in_which_nothing_moves_says_so(client: Client, version: FrameworkVersion, tomas: User) -> None:
    client.force_login(tomas)
    client.post(page_of(version, "impact_compute"))
    work_off(AssignmentRun.objects.get(kind="impact"))
    figures = version.impacts.get().figures
    figures["moving"] = {"accounts": 0, "arr": "0"}
    record_impact(version=version, figures=figures, as_of=timezone.now(), actor=tomas, at=timezone.now())

    assert "You confirm that no account moves." in text(client, page_of(version))


def test_account_without_assignment_is_no_mover_of_the_guard(
    client: Client, version: FrameworkVersion, tomas: User
) -> None:
    client.force_login(tomas)
    known = Account.objects.count()
    account("Newcomer")
    client.post(page_of(version, "impact_compute"))

    work_off(AssignmentRun.objects.get(kind="impact"))

    said = text(client, f"{page_of(version)}?dimension=customer_tier")
    assert f"1 of {known}. A run is held above" in said


def test_impact_is_computed_by_nobody_who_only_reads(client: Client, version: FrameworkVersion) -> None:
    client.force_login(person("leah", "csm"))

    answer = client.post(page_of(version, "impact_compute"))

    assert answer.status_code == 403
    assert not AssignmentRun.objects.filter(kind="impact").exists()
    assert "RevOps, architects and executives compute an impact." in text(client, page_of(version))


def test_impact_of_an_active_version_is_refused(client: Client, version: FrameworkVersion, tomas: User) -> None:
    active = version.framework.active_version
    assert active is not None
    client.force_login(tomas)

    answer = client.post(page_of(active, "impact_compute"))

    assert answer.status_code == 409
    assert not AssignmentRun.objects.filter(kind="impact").exists()


def test_run_page_of_a_study_says_that_it_writes_nothing(
    client: Client, version: FrameworkVersion, tomas: User
) -> None:
    client.force_login(tomas)
    client.post(page_of(version, "impact_compute"))
    study = work_off(AssignmentRun.objects.get(kind="impact"))

    assert "It wrote nothing and never will" in text(client, reverse("accounts:run_detail", args=[study.uuid]))


def test_strip_names_the_dimension_and_the_guard_leaves_out_what_follows_the_mapping(
    client: Client, version: FrameworkVersion, tomas: User
) -> None:
    client.force_login(tomas)
    client.post(page_of(version, "impact_compute"))
    work_off(AssignmentRun.objects.get(kind="impact"))
    figures = version.impacts.get().figures
    figures["segments"] = {key: segment(10, 10) for key in figures["segments"]}
    figures["segments"] |= {"customer_tier/enterprise": segment(10, 0), "customer_tier/strategic": segment(10, 20)}
    figures["matrix"]["customer_tier"] = {"enterprise": {"strategic": {"accounts": 10, "arr": "0"}}}
    figures["mapped"]["customer_tier"] = figures["matrix"]["customer_tier"]
    other = next(key for key in figures["matrix"] if key != "customer_tier")
    figures["segments"][f"{other}/"] = segment(10, 17)
    record_impact(version=version, figures=figures, as_of=timezone.now(), actor=tomas, at=timezone.now())

    page = ImpactPage(version, tomas, dimension="customer_tier")

    label = page.definition.dimensions[other].label
    assert page.key_figures[2] == {
        "label": "Unassigned in Customer Tier",
        "value": "10",
        "detail": f"as many as today, 7 more in {label}",
    }
    gauges = {gauge.label: gauge for gauge in page.gauges}
    assert (gauges["Largest segment change"].value, gauges["Largest segment change"].is_beyond) == (Decimal(0), False)
    assert page.guard_chip == "Within limits"
