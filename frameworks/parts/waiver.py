"""The `waiver` part: a warning of the checks that the company accepts, with the reason. It is signed like any part."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, StringConstraints

from frameworks.parts.base import COSMETIC, SEMANTIC, SLUG, Line, OptionalText, PartSchema, Slug, distinct, refused_key

MIN_REASON = 15
_MOST = 63

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=MIN_REASON, max_length=2_000)]
Subject = Annotated[str, StringConstraints(max_length=127, pattern=f"^({SLUG}(/{SLUG})?)?$")]


def waiver_key(code: str, subject: str) -> str:
    """The key under which the waiver of a finding is kept: readable, and never longer than a key may be."""
    key = f"{code}__{subject.replace('/', '__')}" if subject else code
    if len(key) <= _MOST:
        return key
    return f"{key[: _MOST - 9]}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


class Waiver(PartSchema):
    """Why a warning is accepted.

    `code` and `subject` are the finding's, and `items` what exactly is accepted: when a later edit adds to it, the
    waiver covers the finding no longer. `finding` is the text its author saw, with the figures of that day.
    """

    kind: ClassVar[str] = "waiver"

    code: Annotated[Slug, SEMANTIC]
    subject: Annotated[Subject, SEMANTIC] = ""
    items: Annotated[list[Line], AfterValidator(distinct), SEMANTIC] = []
    reason: Annotated[Reason, SEMANTIC]
    finding: Annotated[OptionalText, COSMETIC] = ""

    def check_key(self, key: str) -> None:
        wanted = waiver_key(self.code, self.subject)
        if key != wanted or not re.fullmatch(SLUG, key):
            raise refused_key(f"The waiver of this finding is kept under {wanted!r}, not {key!r}.")
