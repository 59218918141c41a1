"""How a signature is proven on the page: password, authenticator code, recovery code; once, and not by guessing."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core.cache import cache
from django.test import Client

from frameworks.models import Signoff
from governance.models import AuditEntry
from tests.frameworks.making import Company
from tests.frameworks.pages import text, url

STEP = 30


@pytest.fixture(autouse=True)
def at_one_moment() -> Iterator[None]:
    """A code lasts 30 seconds; without this, a test would now and then be slower."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.fixture
def secret(company: Company) -> str:
    cache.clear()
    secret: str = generate_totp_secret()
    TOTP.activate(company.marcus, secret)
    company.submit()
    return secret


def code_of(secret: str, shift: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // STEP + shift)))


def post_signature(client: Client, company: Company, **proof: str) -> Any:
    html = client.get(url(company, "signing")).content.decode()
    form = dict(re.findall(r'name="((?:digest|seen)-\d+|impact)" value="([0-9a-f]*)"', html))
    form |= {f"answer-{number}": "yes" for number in re.findall(r'data-term="(\d+)"', html)}
    return client.post(url(company, "signing"), {**form, **proof})


def test_code_of_the_app_signs_and_is_kept_as_the_method(company: Company, secret: str, login: Any) -> None:
    client = login(company.marcus)
    assert "code of your authenticator app" in text(client.get(url(company, "signing")))

    response = post_signature(client, company, code=code_of(secret))

    assert response.status_code == 302
    assert {row.authentication for row in Signoff.objects.all()} == {"totp"}


def test_recovery_code_signs_and_works_once(company: Company, secret: str, login: Any) -> None:
    codes = RecoveryCodes.activate(company.marcus)
    code = codes.get_unused_codes()[0]

    assert post_signature(login(company.marcus), company, code=code).status_code == 302

    assert {row.authentication for row in Signoff.objects.all()} == {"recovery_code"}
    stored = Authenticator.objects.get(user=company.marcus, type=Authenticator.Type.RECOVERY_CODES)
    assert code not in RecoveryCodes(stored).get_unused_codes()


@pytest.mark.parametrize("proof", [{"code": "000000"}, {"code": "x"}, {"password": "wrong"}, {}])
def test_wrong_or_missing_proof_signs_nothing(company: Company, secret: str, login: Any, proof: dict[str, str]) -> None:
    acts = AuditEntry.objects.count()

    response = post_signature(login(company.marcus), company, **proof)

    assert response.status_code == 422
    assert "Nothing was signed" in text(response)
    assert (Signoff.objects.count(), AuditEntry.objects.count()) == (0, acts)


def test_code_of_another_person_signs_nothing(company: Company, secret: str, login: Any) -> None:
    assert post_signature(login(company.nadia), company, code=code_of(secret)).status_code == 422

    assert Signoff.objects.count() == 0


def test_guessing_codes_is_stopped(company: Company, secret: str, login: Any) -> None:
    client = login(company.marcus)
    for _ in range(12):
        post_signature(client, company, code="000000")

    assert post_signature(client, company, code=code_of(secret)).status_code == 422
    assert Signoff.objects.count() == 0


def test_setting_up_a_factor_is_audited_and_asks_who_it_is(
    company: Company, login: Any, django_capture_on_commit_callbacks: Any
) -> None:
    cache.clear()
    client = login(company.marcus)
    page = "/account/2fa/totp/activate/"
    assert "/account/reauthenticate/" in client.get(page).headers["Location"]
    client.post("/account/reauthenticate/", {"password": "correct horse", "next": page})
    client.get(page)
    secret = client.session["mfa.totp.secret"]

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(page, {"code": code_of(secret)})

    assert response.status_code == 302
    assert set(Authenticator.objects.values_list("type", flat=True)) >= {"totp"}
    assert AuditEntry.objects.filter(action="person.factor_added", actor=company.marcus).exists()
