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
    """A framework with so many versions of so many parts; the newest is in review, half of its terms answered.

    Its people are those of tests.frameworks.making. Answers the version in review.
    """
    from frameworks.content import checked_all
    from frameworks.models import Contribution, Framework
    from frameworks.services.activation import flip_active_version
    from frameworks.services.drafting import create_framework, start_draft, write_contents
    from frameworks.services.review import submit_version
    from tests.frameworks.making import AT, Company, person  # noqa: F401

    people = {
        "ravi": person("ravi", "revops"),
        "tomas": person("tomas", "revops"),
        "priya": person("priya", "stakeholder", "executive"),
        "marcus": person("marcus", "stakeholder"),
        "carol": person("carol", "cs_ops"),
    }
    version = create_framework(name="Large", slug="large", template=None, actor=people["ravi"], at=AT)
    contents = checked_all({("meta", "meta"): {"name": "Large", "company": "X"}, **large_bodies(parts)})
    source = Contribution.Source.COMMAND
    write_contents(version=version, contents=contents, actor=people["ravi"], at=AT, source=source)
    for number in range(versions):
        at = AT + timedelta(days=number)
        if number:
            framework = Framework.objects.select_related("active_version").get(slug="large")
            version = start_draft(framework=framework, actor=people["ravi"], at=at)
            _change(version, number, people["ravi"], at)
        _confirm_all(version, people["priya"], at)
        if number == 0:
            submit_version(version=version, actor=people["ravi"], at=at)
            _sign_all(version, people, at)
            flip_active_version(version=version, actor=people["priya"], at=at)
        elif number < versions - 1:
            _put_in_force(version)
    submit_version(version=version, actor=people["ravi"], at=at)
    return version


def _change(version: Any, number: int, actor: Any, at: Any) -> None:
    from frameworks.content import checked_all
    from frameworks.models import Contribution
    from frameworks.services.drafting import write_contents

    key = f"term_{number % 50}"
    body = {"label": f"Term {number % 50}", "wording": f"Reworded in version {number}.", "owner": "Finance"}
    contents = checked_all({("term", key): body})
    write_contents(version=version, contents=contents, actor=actor, at=at, source=Contribution.Source.COMMAND)


def _confirm_all(version: Any, actor: Any, at: Any) -> None:
    from frameworks.services.drafting import assumed_parts, confirm_parts

    if parts := assumed_parts(version):
        confirm_parts(version=version, parts=parts, evidence="Agreed in a meeting.", actor=actor, at=at)


def _put_in_force(version: Any) -> None:
    """As if it had been signed and activated: the versions between are here for their number."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE frameworks_frameworkversion DISABLE TRIGGER USER")
        type(version).objects.filter(pk=version.pk).update(state="activated", activated_at=version.created_at)
        cursor.execute("ALTER TABLE frameworks_frameworkversion ENABLE TRIGGER USER")
        type(version.framework).objects.filter(pk=version.framework_id).update(active_version=version)


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
