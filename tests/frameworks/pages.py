"""Reading pages of a version in tests."""

import re
from typing import Any

from django.urls import reverse

from tests.frameworks.making import Company


def url(company: Company, name: str, **values: Any) -> str:
    return reverse(f"frameworks:{name}", kwargs={"slug": "main", "number": company.version.number, **values})


def text(response: Any) -> str:
    """The page as a reader sees it: no tags, single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
