"""A draft whose base is not the active version any more: three-way by part, and no sign-off lost without need."""

from typing import Any

import pytest

from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.models import FrameworkVersion
from frameworks.services.activation import activation_blockers, flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.services.rebasing import plan_rebase, rebase_version
from frameworks.services.review import submit_version
from governance.models import AuditEntry
from tests.frameworks.making import AT, LATER, Company

OURS = {"label": "ARR", "wording": "Ours.", "owner": "Finance"}
THEIRS = {"label": "ARR", "wording": "Theirs.", "owner": "Finance"}


@pytest.fixture
def raced(company: Company) -> Company:
    """Two drafts of v0: v1 became active with another ARR, account and SMB; v2 has another ARR and Enterprise."""
    company.submit()
    company.sign_all()
    flip_active_version(version=company.version, actor=company.priya, at=AT)
    framework = company.version.framework
    first, second = (start_draft(framework=framework, actor=company.ravi, at=AT) for _ in range(2))
    company.version = second
    company.save("term", "arr", OURS)
    company.save("playbook", "tier/enterprise", {**company.body("playbook", "tier/enterprise"), "summary": "Ours."})
    company.version = first
    company.save("term", "arr", THEIRS)
    company.save("term", "account", {"label": "Account", "wording": "Theirs too."})
    company.submit()
    company.sign_all()
    flip_active_version(version=first, actor=company.priya, at=AT)
    company.version = FrameworkVersion.objects.get(pk=second.pk)
    return company


def rebase(company: Company, side: str | None = "mine", **changes: Any) -> FrameworkVersion:
    plan = plan_rebase(company.version)
    assert plan
    choices = {each.id: (side, each.theirs or "") for each in plan.conflicts} if side else {}
    given: dict[str, Any] = {"onto": plan.onto, "choices": choices, "actor": company.ravi, "at": LATER} | changes
    return rebase_version(version=company.version, **given)


def test_stale_draft_is_told_so_and_offered_a_rebase(raced: Company) -> None:
    raced.confirm()

    with pytest.raises(InvalidError, match="rebase it onto v1"):
        submit_version(version=raced.version, actor=raced.ravi, at=AT)

    plan = plan_rebase(raced.version)
    assert plan is not None
    assert [each.id for each in plan.conflicts] == [("term", "arr")]
    assert set(plan.followed) == {("term", "account")}
    assert plan.kept == (("playbook", "tier/enterprise"),)


@pytest.mark.parametrize(("side", "wording"), [("mine", "Ours."), ("theirs", "Theirs.")])
def test_rebase_follows_keeps_and_takes_what_was_chosen(raced: Company, side: str, wording: str) -> None:
    rebase(raced, side)

    assert raced.body("term", "arr")["wording"] == wording
    assert raced.body("term", "account")["wording"] == "Theirs too."
    assert raced.body("playbook", "tier/enterprise")["summary"] == "Ours."
    assert raced.version.base_version == raced.version.framework.active_version
    assert plan_rebase(raced.version) is None
    assert AuditEntry.objects.get(action="version.rebased").after["chosen"] == [f"term arr: {side}"]


def test_rebase_voids_no_sign_off_of_what_it_leaves(raced: Company) -> None:
    rebase(raced, "theirs")
    raced.submit()

    raced.sign("carol")

    assert raced.version.state == "approved"


def test_version_under_way_is_rebased_into_a_new_draft_round(raced: Company) -> None:
    FrameworkVersion.objects.filter(pk=raced.version.pk).update(state="in_review", round=1)
    raced.version.refresh_from_db()
    assert any("rebase it" in each for each in activation_blockers(raced.version, AT))

    rebase(raced, "theirs")

    assert (raced.version.state, raced.version.state_reason) == ("draft", "Rebased onto v1.")
    assert raced.submit().round == 2


def test_rebase_without_a_choice_or_on_an_old_page_changes_nothing(raced: Company) -> None:
    first = raced.version.framework.versions.get(number=0)
    before = list(raced.version.parts.values_list("key", "body_id"))

    with pytest.raises(InvalidError, match="Choose one text: definition ARR"):
        rebase(raced, None)
    with pytest.raises(ConflictError, match="v1 is active now"):
        rebase(raced, onto=first)
    with pytest.raises(ConflictError, match="Definition ARR changed again"):
        rebase(raced, choices={("term", "arr"): ("theirs", "0" * 64)})
    with pytest.raises(NotAllowedError):
        rebase(raced, actor=raced.marcus)

    raced.version.refresh_from_db()
    assert list(raced.version.parts.values_list("key", "body_id")) == before
    assert raced.version.base_version == first


def test_rebase_of_a_version_on_its_base_conflicts(raced: Company) -> None:
    onto = raced.version.framework.active_version
    assert onto
    rebase(raced)

    with pytest.raises(ConflictError):
        rebase_version(version=raced.version, onto=onto, choices={}, actor=raced.ravi, at=LATER)
