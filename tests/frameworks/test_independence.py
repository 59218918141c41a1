"""Separation of duties as a table: facts in, reasons out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from frameworks.independence import SignerFacts, reasons_against_authentication, reasons_against_signing
from tests.frameworks.making import AT

FIT = SignerFacts(
    is_active=True,
    is_service=False,
    holds_permission=True,
    has_role=True,
    contributed=False,
    counts_contributors=False,
    pool_label="Finance",
)


def test_person_with_everything_may_sign() -> None:
    assert reasons_against_signing(FIT) == []


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"is_active": False}, ["Your login is deactivated."]),
        ({"is_service": True}, ["A program cannot sign; only a person can."]),
        ({"has_role": False}, ["This is signed by Finance."]),
        ({"holds_permission": False}, ["None of your roles may sign."]),
        ({"contributed": True}, ["You wrote or changed parts of this version, so somebody else signs it."]),
        ({"contributed": True, "counts_contributors": True}, []),
        (
            {"in_pool": False},
            ["You were not among the signers (Finance) when this version was submitted."],
        ),
        (
            {"is_active": False, "has_role": False, "contributed": True},
            [
                "Your login is deactivated.",
                "This is signed by Finance.",
                "You wrote or changed parts of this version, so somebody else signs it.",
            ],
        ),
    ],
)
def test_each_fact_against_signing_has_its_reason(changes: dict[str, Any], reasons: list[str]) -> None:
    assert reasons_against_signing(replace(FIT, **changes)) == reasons


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_active": False}, "The login of Nadia is deactivated."),
        ({"is_service": True}, "Nadia is a program and cannot sign; only a person can."),
        ({"holds_permission": False}, "None of the roles of Nadia may sign."),
        ({"contributed": True}, "Nadia wrote or changed parts of this version, so somebody else signs it."),
        ({"in_pool": False}, "Nadia was not among the signers (Finance) when this version was submitted."),
    ],
)
def test_reasons_that_others_read_name_the_person(changes: dict[str, Any], reason: str) -> None:
    assert reasons_against_signing(replace(FIT, named="Nadia", **changes)) == [reason]


@pytest.mark.parametrize(
    ("method", "age", "said"),
    [
        ("password", timedelta(minutes=5), None),
        ("passkey", timedelta(0), None),
        ("password", timedelta(minutes=5, seconds=1), "more than 5 minutes"),
        ("token", timedelta(0), "tokens cannot sign"),
        ("", timedelta(0), "tokens cannot sign"),
    ],
)
def test_authentication_must_be_fresh_and_a_persons(method: str, age: timedelta, said: str | None) -> None:
    reasons = reasons_against_authentication(method=method, authenticated_at=AT - age, at=AT)

    assert (said in reasons[0]) if said else reasons == []
