"""A version that is submitted has its impact studied, when the submission is committed."""

import pytest

from accounts.models import AssignmentRun
from frameworks.models import VersionImpact
from tests.accounts.activating import signed_version, work_off
from tests.accounts.test_runs import spread


@pytest.mark.django_db(transaction=True)
def test_submitted_version_is_studied_for_its_signers() -> None:
    spread()
    version = signed_version()

    study = AssignmentRun.objects.get(kind="impact")

    assert (study.framework_version, study.requested_by) == (version, None)
    assert work_off(study).state == "studied"
    assert VersionImpact.objects.get().version == version
