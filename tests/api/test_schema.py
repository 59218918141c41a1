"""No input yields a 5xx or an answer the description does not know: schemathesis, from our own OpenAPI file."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from segmentation_site.wsgi import application
from tests.api.making import Api, Model

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
FILE = Path(__file__).parents[2] / "docs" / "openapi.yaml"

schema = schemathesis.openapi.from_path(FILE)
schema.app = application


@pytest.fixture
def open_connection() -> Iterator[None]:
    """The test's transaction outlives the requests, as with Django's own test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_input_gets_an_answer_that_is_described(case: Any, open_connection: None, api: Api, model: Model) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {api.token}"}

    response = case.call()

    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
    case.validate_response(response, checks=checks)
