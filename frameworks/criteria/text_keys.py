"""How two texts are the same text.

PostgreSQL before 18 cannot case-fold (straße and STRASSE stay different) and normalising inside every leaf is
several times slower, so the key is made here when an account is written, and the same function makes the key of
every literal a criterion compares with.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

DEFAULT_MISSING_TOKENS: Final[tuple[str, ...]] = ("N/A", "#N/A", "null", "-", "unknown")


def matching_key(text: str | None, *, missing_tokens: Iterable[str] = DEFAULT_MISSING_TOKENS) -> str | None:
    """The form in which texts are compared: NFKC, trimmed, white space folded to one space, case-folded.

    None when nothing is left (empty, blank, invisible characters only) or when it is one of `missing_tokens`,
    which are compared in the same form.
    """
    if text is None:
        return None
    key = _folded(text)
    if not key or key in _token_keys(tuple(missing_tokens)):
        return None
    return key


def has_control_character(text: str) -> bool:
    """True for characters PostgreSQL or a log line cannot carry: controls (NUL, tab, newline) and lone surrogates."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _folded(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text)
    # Format characters (zero-width space, byte-order mark, soft hyphen) are invisible: people cannot mean them.
    visible = "".join(character for character in normal if unicodedata.category(character) != "Cf")
    # Case folding can leave a text that is not normalised any more ("ﬃ", "ΐ"), so normalise once again.
    folded = unicodedata.normalize("NFKC", visible.casefold())
    return " ".join(folded.split())


@lru_cache(maxsize=1024)
def _token_keys(tokens: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_folded(token) for token in tokens)
