"""What is said of a later version leaves an earlier one as it was signed."""

from frameworks.services.activation import flip_active_version
from frameworks.services.drafting import start_draft
from frameworks.standing import requirements_standing
from tests.frameworks.making import AT, LATER, Company


def test_activated_version_stays_signed_when_the_next_one_is_disputed(company: Company) -> None:
    company.submit()
    company.sign_all()
    first = company.version
    first.refresh_from_db()
    flip_active_version(version=first, actor=company.priya, at=AT)
    company.version = start_draft(framework=first.framework, actor=company.ravi, at=LATER)
    company.save("term", "arr", {**company.body("term", "arr"), "wording": "Something else."})
    company.submit()
    arr = company.requirement("terms", "arr").pk
    noes = [each for each in company.answers("marcus", "reject", "Not what we sell.") if each.requirement_id == arr]
    company.sign("marcus", noes, at=LATER)

    assert all(standing.is_met for standing in requirements_standing(first, LATER))
    assert not all(standing.is_met for standing in requirements_standing(company.version, LATER))
