"""The framework of `framework.yaml` as an active version, without the ceremony that people would hold."""

from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from frameworks.content import checked_all
from frameworks.definition import definition_of
from frameworks.exchange.templates import read_template
from frameworks.models import Framework, FrameworkVersion, User
from frameworks.services.catalog import bring_live
from frameworks.services.drafting import write_contents

FILE = Path(__file__).with_name("framework.yaml")

# Moves about 3 % of the accounts between Mid-Market and SMB.
THRESHOLD = "25000.00"
MOVED_THRESHOLD = "38000.00"

Bodies = dict[tuple[str, str], dict[str, Any]]


def make_versions(*, at: datetime) -> tuple[FrameworkVersion, FrameworkVersion, FrameworkVersion]:
    """Version 0, active; 1, in which Mid-Market begins at MOVED_THRESHOLD; 2, which asks for closed quarters."""
    author = User.objects.create_user(email="bench@cutline.example", name="Bench", password=None)
    framework = Framework.objects.create(slug="bench", name="Bench")
    bodies = _bodies()
    versions = [
        _version(framework, number, parts, author, at)
        for number, parts in enumerate((bodies, _with_moved_threshold(bodies), _with_closed_quarters(bodies)))
    ]
    definition = definition_of(versions[0])
    bring_live(framework=framework, definition=definition, order=list(definition.dimensions))
    make_active(versions[0])
    return versions[0], versions[1], versions[2]


def make_active(version: FrameworkVersion) -> None:
    """Move the framework's pointer; the bench's accounts are evaluated by what it says."""
    version.framework.active_version = version
    version.framework.save(update_fields=["active_version"])


def _bodies() -> Bodies:
    template = read_template("bench", FILE.read_text(encoding="utf-8"))
    return {(kind, key): body for kind, key, body in template.parts}


def _with_moved_threshold(bodies: Bodies) -> Bodies:
    moved = deepcopy(bodies)
    moved["segment", "tier/mid_market"]["rules"][0]["criteria"]["root"]["ge"] = MOVED_THRESHOLD
    moved["segment", "tier/smb"]["rules"][0]["criteria"]["root"]["value"] = MOVED_THRESHOLD
    return moved


def _with_closed_quarters(bodies: Bodies) -> Bodies:
    """With two rules more in the tier: ARR of at least so much in each of the last quarters."""
    watching = deepcopy(bodies)
    for segment, least, periods in (("enterprise", "95000.00", 2), ("mid_market", "24000.00", 4)):
        item = {"id": "s2", "op": "ge", "attribute": "arr", "value": least}
        root = {"id": "s1", "op": "sustained", "periods": periods, "grain": "fiscal_quarter", "item": item}
        rule = {"key": "lasting", "basis": "behavioural", "criteria": {"schema": "criteria/1", "root": root}}
        watching["segment", f"tier/{segment}"]["rules"].append(rule)
    return watching


def _version(framework: Framework, number: int, bodies: Bodies, author: User, at: datetime) -> FrameworkVersion:
    version = FrameworkVersion.objects.create(framework=framework, number=number, author=author)
    write_contents(version=version, contents=checked_all(bodies), actor=author, at=at, source="command")
    # Nobody signs a benchmark: the database lets an emergency pass alone.
    version.is_emergency, version.emergency_reason, version.ratified_at = True, "Made for the benchmark.", at
    version.activated_at = at
    for state in (FrameworkVersion.State.IN_REVIEW, FrameworkVersion.State.ACTIVATED):
        version.state = state
        version.save()
    return version
