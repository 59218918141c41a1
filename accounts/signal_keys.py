"""The form in which a signal's details are compared."""

from collections.abc import Mapping

from frameworks.criteria.text_keys import matching_key


def details_keys(details: Mapping[str, str]) -> dict[str, str]:
    """Name → matching key of each detail; those that say nothing ("", "N/A") are left out."""
    return {name: key for name, text in details.items() if (key := matching_key(text)) is not None}
