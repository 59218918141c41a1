"""Which changes of an account can move it: those of what the versions in force read."""

from functools import lru_cache

from frameworks.criteria.uses import stored_attributes
from frameworks.definition import definition_of
from frameworks.models import Framework, FrameworkVersion

# Read by every evaluation, whatever the rules say.
_ALWAYS = frozenset({"currency", "exclusion", "parent"})


def attributes_read() -> frozenset[str] | None:
    """Keys of the attributes a change of which can move an account; None while no version is in force.

    None means every attribute: whoever activates the first version meanwhile finds the account marked.
    """
    versions = FrameworkVersion.objects.filter(pk__in=Framework.objects.values("active_version")).values_list("pk")
    found = [_read_by(pk) for (pk,) in versions]
    return _ALWAYS.union(*found) if found else None


@lru_cache(maxsize=32)
def _read_by(version_id: int) -> frozenset[str]:
    """A version in force no longer changes."""
    definition = definition_of(FrameworkVersion.objects.get(pk=version_id))
    return frozenset(
        key
        for dimension in definition.dimensions
        for candidate in definition.candidates(dimension)
        for key in stored_attributes(candidate.criteria.root)
    )


def concerns(changed: set[str], read: frozenset[str] | None) -> bool:
    """Whether any of the changed attributes is read."""
    return bool(changed) if read is None else not read.isdisjoint(changed)
