"""Where the app that knows accounts offers the checks that need the engine and live accounts.

Services and pages of this app ask `engine_checks()`; accounts registers them once, in its `ready()`.
"""

from datetime import datetime
from typing import Protocol

from frameworks.checks.findings import Finding, Report
from frameworks.coverage import manifest_of
from frameworks.definition import Definition
from frameworks.models import FrameworkVersion, Kind, User
from frameworks.parts import combine_digests


class EngineChecks(Protocol):
    """The cell test, the live checks and the sample records of a version."""

    def known(self, version: FrameworkVersion) -> Report | None:
        """The newest report, also of an earlier wording; None when nobody asked yet. Computes nothing."""
        ...

    def ensure(self, version: FrameworkVersion, at: datetime) -> Report:
        """A report of the wording of today that is recent enough to decide by; computed now if there is none."""
        ...

    def start(self, *, version: FrameworkVersion, actor: User, at: datetime) -> Report:
        """Compute a new report: at once when that is quick, else in a worker. Raises NotAllowedError."""
        ...

    def of_rules(self, definition: Definition, at: datetime) -> list[Finding]:
        """What the whole cell test finds in every dimension: overlaps, gaps, what nothing reaches.

        Without waivers; no accounts are counted, nothing is kept. Raises InvalidError for rules that cannot be read.
        """
        ...

    def of_dimension(self, definition: Definition, dimension: str, at: datetime) -> list[Finding]:
        """What follows from the rules of one dimension alone, with waivers; no accounts are counted, nothing is kept.

        Raises InvalidError for rules that cannot be read.
        """
        ...


_READ = frozenset(
    {Kind.META.value, Kind.POLICY.value, Kind.DIMENSION.value, Kind.SEGMENT.value, Kind.DATA_SOURCE.value}
)


def checked_digest(version: FrameworkVersion) -> str:
    """One digest over the parts that the engine's checks read, as stored now: not over terms, playbooks and waivers."""
    parts = manifest_of(version).parts.values()
    return combine_digests((part.kind, part.key, part.digest) for part in parts if part.kind in _READ)


_registered: list[EngineChecks] = []


def register(checks: EngineChecks) -> None:
    """Called once, from `ready()`."""
    _registered[:] = [checks]


def engine_checks() -> EngineChecks | None:
    """What was registered; None in an installation of this app alone."""
    return _registered[0] if _registered else None
