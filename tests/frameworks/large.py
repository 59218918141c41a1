"""A framework far larger than any company's, for counting queries and measuring pages.

`python -m tests.frameworks.large PARTS VERSIONS` fills a database of its own (dropped at the end) and prints how
long the pages take: the figures of docs/performance.md.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

Bodies = dict[tuple[str, str], dict[str, Any]]


def large_bodies(parts: int) -> Bodies:
    """About `parts` valid parts: a tenth segments, a tenth playbooks, a fifth data sources, the rest definitions."""
    from tests.frameworks.making import playbook, requirement

    lines = [
        requirement("terms", kinds=["term"], per="part", minimum="all", pool={"role": "stakeholder"}),
        requirement("rules", kinds=["dimension", "segment"], per="part", pool={"role": "revops"}),
        requirement("playbooks", kinds=["playbook"], level="operational", pool={"role": "cs_ops"}),
    ]
    found: Bodies = {("policy", "signoff"): {"policy": "signoff", "requirements": lines}}
    sources, segments = parts // 5, parts // 10
    for number in range(sources):
        body = {"label": f"Figure {number}", "data_type": "integer", "owner": "RevOps", "system": "CRM"}
        found["data_source", f"figure_{number}"] = body
    for place in range(max(1, segments // 25)):
        shorts = [f"s{number}" for number in range(min(25, segments))]
        found["dimension", f"d{place}"] = {"label": f"Dimension {place}", "segments": shorts}
        for rank, short in enumerate(shorts):
            found["segment", f"d{place}/{short}"] = _segment(place, rank, sources)
            found["playbook", f"d{place}/{short}"] = playbook(f"Call within {rank + 1} days")
    for number in range(parts - len(found)):
        words = f"The number {number} of all that this company counts, as of the last day of the quarter."
        found["term", f"term_{number}"] = {"label": f"Term {number}", "wording": words, "owner": "Finance"}
    return found


def _segment(place: int, rank: int, sources: int) -> dict[str, Any]:
    from tests.frameworks.making import criteria

    attribute = f"figure_{(place * 25 + rank) % max(1, sources)}"
    rule = {"key": "value", "basis": "value", "criteria": criteria(("ge", attribute, str(10_000 - rank)))}
    return {"label": f"Segment {place}.{rank}", "dimension": f"d{place}", "rules": [rule]}


def make_large(parts: int, versions: int) -> Any:
    """A framework with so many versions of so many parts. Answers the newest, which is in review.

    Every version rewords some parts, the one in the middle every second definition; what was signed of the first one
    counts still, so half of the definitions of the newest are answered. Its people are those of
    tests.frameworks.making, and some who only read.
    """
    from frameworks.content import checked_all
    from frameworks.models import Contribution, Framework
    from frameworks.services.activation import flip_active_version
    from frameworks.services.drafting import create_framework, start_draft, write_contents
    from frameworks.services.review import freeze_version
    from tests.frameworks.making import AT, person

    roles = {"ravi": ["revops"], "tomas": ["revops"], "priya": ["stakeholder", "executive"], "carol": ["cs_ops"]}
    roles |= {"marcus": ["stakeholder"], "leah": ["csm"], "arne": ["architect"]}
    people = {name: person(name, *held) for name, held in roles.items()}
    version = create_framework(name="Large", slug="large", template=None, actor=people["ravi"], at=AT)
    bodies = large_bodies(parts)
    contents = checked_all({("meta", "meta"): {"name": "Large", "company": "X"}, **bodies})
    source = Contribution.Source.COMMAND
    write_contents(version=version, contents=contents, actor=people["ravi"], at=AT, source=source)
    _confirm_all(version, people["priya"], AT)
    # Frozen without the engine's checks, which read all rules of ten thousand parts and are not what is measured.
    freeze_version(version, AT)
    _sign_all(version, people, AT)
    flip_active_version(version=version, actor=people["priya"], at=AT)
    for number in range(1, versions - 1):
        at = AT + timedelta(days=number)
        version = _copied(version, number, people["ravi"], at)
        _reword(version, _reworded(bodies, number, is_half=number == versions // 2), people["ravi"], at)
        _put_in_force(version)
    at = AT + timedelta(days=versions)
    framework = Framework.objects.select_related("active_version").get(slug="large")
    version = start_draft(framework=framework, actor=people["ravi"], at=at)
    _reword(version, _reworded(bodies, versions, is_half=False), people["ravi"], at)
    _confirm_all(version, people["priya"], at)
    freeze_version(version, at)
    return version


def _copied(before: Any, number: int, actor: Any, at: Any) -> Any:
    """The next draft with the parts of the one before: what `start_draft` does, in one statement."""
    from django.db import connection

    version = type(before)(framework=before.framework, number=number, base_version=before, author=actor)
    version.created_at = at
    version.save()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO frameworks_part (version_id, kind, key, body_id, updated_at)"
            " SELECT %s, kind, key, body_id, %s FROM frameworks_part WHERE version_id = %s ORDER BY id",
            [version.pk, at, before.pk],
        )
    return version


def _reworded(bodies: Bodies, number: int, *, is_half: bool) -> Bodies:
    """What one version says in other words: a few parts of each kind, or every second definition."""
    of_kind: dict[str, list[str]] = {}
    for kind, key in bodies:
        of_kind.setdefault(kind, []).append(key)
    kinds = ("term",) if is_half else ("term", "playbook", "data_source")
    chosen = {
        (kind, key)
        for kind in kinds
        for key in (of_kind[kind][::2] if is_half else [of_kind[kind][number % len(of_kind[kind])]])
    }
    words = {"term": "wording", "playbook": "summary", "data_source": "refresh"}
    return {part: {**bodies[part], words[part[0]]: f"Reworded in version {number}."} for part in chosen}


def _reword(version: Any, bodies: Bodies, actor: Any, at: Any) -> None:
    from frameworks.content import checked_all
    from frameworks.models import Contribution
    from frameworks.services.drafting import write_contents

    source = Contribution.Source.COMMAND
    write_contents(version=version, contents=checked_all(bodies), actor=actor, at=at, source=source)


def _confirm_all(version: Any, actor: Any, at: Any) -> None:
    from frameworks.services.drafting import assumed_parts, confirm_parts

    if parts := assumed_parts(version):
        confirm_parts(version=version, parts=parts, evidence="Agreed in a meeting.", actor=actor, at=at)


def _put_in_force(version: Any) -> None:
    """As if it had been signed and activated: the versions between are here for their number."""
    from django.db import connection

    old = version.framework.active_version
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE frameworks_frameworkversion DISABLE TRIGGER USER")
        type(version).objects.filter(pk=old.pk).update(superseded_at=version.created_at)
        type(version).objects.filter(pk=version.pk).update(state="activated", activated_at=version.created_at)
        cursor.execute("ALTER TABLE frameworks_frameworkversion ENABLE TRIGGER USER")
    version.framework.active_version = version
    version.framework.save(update_fields=["active_version"])


def _sign_all(version: Any, people: Any, at: Any) -> None:
    from frameworks.services.signing import Answer, sign
    from frameworks.standing import Standings

    for name in ("tomas", "priya", "marcus", "carol"):
        standings = Standings(version, at)
        mine = [each for each in standings.all() if people[name].pk in standings.pools[each.requirement.code]]
        answers = [Answer(each.requirement.pk, each.digest, "approve") for each in mine]
        for start in range(0, len(answers), 1000):
            sign(
                version=version,
                decisions=answers[start : start + 1000],
                signer=people[name],
                authentication="password",
                authenticated_at=at,
                at=at,
            )
    version.refresh_from_db()


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, round(share * (len(times) - 1)))]


def timed(call: Callable[[], Any], rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        found.append((time.perf_counter() - started) * 1000)
    return found


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main(parts: int, versions: int) -> None:
    import tests.servers as servers

    servers._prepare_run()
    import os

    from tests.journeys.site import Site

    site = Site(f"cutline_large_{os.getpid()}", Path(tempfile.mkdtemp()))
    site._administer(__import__("psycopg").sql.SQL("CREATE DATABASE {}"))
    try:
        site.manage("migrate", "--verbosity", "0", role="owner")
        os.environ.update(
            site.environment
            | {
                "CUTLINE_DATABASE_ROLE": "owner",
                "CUTLINE_PROCESS": "command",
                "DJANGO_SETTINGS_MODULE": "segmentation_site.settings",
            }
        )
        import django

        django.setup()
        measure(parts, versions)
    finally:
        site.stop()


def measure(parts: int, versions: int) -> None:
    from django.conf import settings
    from django.test import Client

    settings.ALLOWED_HOSTS = ["*"]
    started = time.perf_counter()
    version = make_large(parts, versions)
    say(f"made: {version.parts.count()} parts, {versions} versions, {time.perf_counter() - started:.0f} s")
    from frameworks.models import User

    client = Client(HTTP_HOST="localhost", secure=True)
    client.force_login(User.objects.get(email="marcus@x.example"))
    here = f"/frameworks/large/v{version.number}/"
    pages = {
        "version": here,
        "part": f"{here}?part=term/term_7",
        "diff_to_base": f"/frameworks/large/diff/?from={version.number - 1}&to={version.number}",
        "diff_to_first": f"/frameworks/large/diff/?from=0&to={version.number}",
        "definitions": f"{here}definitions/",
        "history": f"{here}history/",
        "framework": "/frameworks/large/",
    }
    for name, address in pages.items():
        first = timed(partial(client.get, address), 1)[0]
        times = timed(partial(client.get, address), 20)
        status = client.get(address).status_code
        load = Path("/proc/loadavg").read_text().split()[0]
        say(
            f"{name}: first {first:.0f} ms, p50 {quantile(times, 0.5):.0f} ms, p95 {quantile(times, 0.95):.0f} ms"
            f" ({status}, load {load})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
