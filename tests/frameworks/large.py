"""A framework far larger than any company's, for counting queries and measuring pages.

`python -m tests.frameworks.large PARTS VERSIONS` fills a database of its own (dropped at the end) and prints how
long the pages take: the figures of docs/performance.md. With `--keep` the database stays, and `--database NAME`
measures it again; `--only version,draft` measures some pages.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    sources, segments = parts // 5, max(2, parts // 10)
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
    """A framework with so many versions of so many parts, and a draft. Answers the newest, which is in review.

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
    draft = start_draft(framework=framework, actor=people["ravi"], at=at)
    _reword(draft, _reworded(bodies, versions + 1, is_half=False), people["ravi"], at)
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
    from frameworks.standing import Standings

    for name in ("tomas", "priya", "marcus", "carol"):
        standings = Standings(version, at)
        mine = [each for each in standings.all() if people[name].pk in standings.pools[each.requirement.code]]
        for start in range(0, len(mine), 1000):
            _sign(version, people[name], mine[start : start + 1000], at)
    version.refresh_from_db()


def _sign(version: Any, signer: Any, standings: list[Any], at: Any) -> None:
    from frameworks.services.signing import Answer, sign

    answers = [Answer(each.requirement.pk, each.digest, "approve") for each in standings]
    proof = {"authentication": "password", "authenticated_at": at, "at": at}
    sign(version=version, decisions=answers, signer=signer, **proof)


# Measuring

READERS = {"signer": "marcus", "revops": "ravi", "architect": "arne", "csm": "leah"}
REQUESTS = 30
CHANGES = 10
RESTARTS = 5
PAUSE = 3
"""Seconds in which a new process and its database process can be put before other work."""


def addresses(number: int, uuid: str) -> dict[str, str]:
    """The pages that are measured, by name; `number` and `uuid` of the version in review."""
    here, diff = f"/frameworks/large/v{number}/", "/frameworks/large/diff/"
    return {
        "version": here,
        "version_in_force": f"/frameworks/large/v{number - 1}/",
        "version_first": "/frameworks/large/v0/",
        "version_draft": f"/frameworks/large/v{number + 1}/",
        "version_part": f"{here}?part=term/term_1",
        "version_segment": f"{here}?part=segment/d0/s0",
        "diff_base": f"{diff}?from={number - 1}&to={number}",
        "diff_first": f"{diff}?from=0&to={number}",
        "diff_any_two": f"{diff}?from={number // 4}&to={number // 2}",
        "diff_since_signed": f"{diff}?since=signed&to={number}",
        "definitions": f"{here}definitions/",
        "alignment": f"{here}definitions/alignment/",
        "alignment_draft": f"/frameworks/large/v{number + 1}/definitions/alignment/",
        "dimensions": f"{here}dimensions/",
        "playbooks": f"{here}playbooks/",
        "data_sources": f"{here}data-sources/",
        "history": f"{here}history/",
        "framework": "/frameworks/large/",
        "signing": f"{here}sign/",
        "my_signing": "/sign-off/",
        "inbox": "/",
        "api_parts": f"/api/v1/framework-versions/{uuid}/parts?limit=500",
    }


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, round(share * (len(times) - 1)))]


def timed(call: Callable[[], Any], rounds: int) -> list[float]:
    """Milliseconds of each call, in order."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        answer = call()
        found.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, answer.status_code
    return found


def told(times: list[float]) -> str:
    return f"{quantile(times, 0.5):.0f}/{quantile(times, 0.95):.0f}"


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.frameworks.large", description=__doc__)
    parser.add_argument("parts", type=int)
    parser.add_argument("versions", type=int)
    parser.add_argument("--keep", action="store_true", help="leave the database")
    parser.add_argument("--database", default="", help="measure one that was kept")
    parser.add_argument("--only", default="", help="pages by name, changes, restarts; with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--first", nargs=2, metavar=("READER", "PAGE"), help="one request, as after a restart")
    asked = parser.parse_args()
    if asked.first:
        first_request(*asked.first)
        return
    with database(asked.database, keep=asked.keep) as is_new:
        if is_new:
            started = time.perf_counter()
            made = make_large(asked.parts, asked.versions)
            _settle_database()
            say(f"made: {made.parts.count()} parts, {asked.versions} versions, {time.perf_counter() - started:.0f} s")
        measure([name for name in asked.only.split(",") if name], asked.rounds)


@contextmanager
def database(name: str, *, keep: bool) -> Iterator[bool]:
    """Django over a database of its own; True where it was made now."""
    import tests.servers as servers

    servers._prepare_run()

    from tests.journeys.site import Site

    site = Site(name or f"cutline_large_{os.getpid()}", Path(tempfile.mkdtemp()))
    if not name:
        site.create_database()
    os.environ.update(site.environment | {"CUTLINE_DATABASE_ROLE": "owner", "CUTLINE_PROCESS": "command"})
    try:
        _set_up()
        yield not name
    finally:
        if not keep and not name:
            site.stop()
    say(f"database: {site.name}")


def _set_up() -> None:
    """Django as a web process has it."""
    import logging

    os.environ["DJANGO_SETTINGS_MODULE"] = "segmentation_site.settings"
    import django

    django.setup()
    from django.conf import settings

    from segmentation_site.warm import warm_up

    settings.ALLOWED_HOSTS = ["*"]
    logging.disable(logging.WARNING)
    warm_up()


def _settle_database() -> None:
    """What autovacuum does within minutes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure(only: list[str], rounds: int) -> None:
    """Every page as every reader: the first request of a cold cache, and rounds of 30 warm ones."""
    from frameworks.models import Framework, FrameworkVersion

    framework = Framework.objects.get(slug="large")
    version = framework.versions.get(state=FrameworkVersion.State.IN_REVIEW)
    _say_where()
    clients = {reader: _client(name) for reader, name in READERS.items()} | {"api": _program()}
    say(f"milliseconds, p50/p95: {CHANGES} requests with nothing in memory; {rounds} times {REQUESTS} warm; load")
    for page, address in addresses(version.number, str(version.uuid)).items():
        for reader, client in clients.items():
            if (only and page not in only) or (reader == "api") != (page == "api_parts"):
                continue
            cold = _cold(client, address)
            warm = [told(timed(partial(client.get, address), REQUESTS)) for _ in range(rounds)]
            say(f"{page:18} {reader:9} cold {told(cold):9} warm {'  '.join(warm)}  ({_load()})")
    if not only or "changes" in only:
        _measure_changes(version, clients["csm"])
    if not only or "restarts" in only:
        _measure_restarts()


def _cold(client: Any, address: str) -> list[float]:
    """Requests of a process that has derived nothing yet."""
    from frameworks.standing_cache import forget

    times = []
    for _ in range(CHANGES):
        forget()
        times += timed(partial(client.get, address), 1)
    return times


def _say_where() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), pg_backend_pid()")
        server, backend = cursor.fetchone()
    say(f"{os.cpu_count()} processors, Python {platform.python_version()}, PostgreSQL {server}, load {_load()}")
    say(f"process {os.getpid()}, its database process {backend}: give these priority where others compute too")


def _load() -> str:
    return Path("/proc/loadavg").read_text().split()[0]


def _client(name: str) -> Any:
    from django.test import Client

    from frameworks.models import User

    client = Client(HTTP_HOST="localhost", secure=True)
    client.force_login(User.objects.get(email=f"{name}@x.example"))
    return client


def _program() -> Any:
    from django.test import Client

    from frameworks.models import User
    from tests.api.making import make_service, make_token

    owner = User.objects.filter(email="sync@example.com").first() or make_service()
    return Client(HTTP_HOST="localhost", secure=True, headers={"Authorization": f"Bearer {make_token(owner)}"})


def _measure_changes(version: Any, client: Any) -> None:
    """The first request of a reader after somebody else, at another process, has signed one definition."""
    from frameworks.models import User
    from frameworks.services.signing import Answer, SignoffWriter
    from frameworks.signing_page import SigningPage
    from tests.frameworks.making import AT

    signer, at = User.objects.get(email="priya@x.example"), AT + timedelta(days=1000)
    writer = SignoffWriter(version, signer, "password", at, at)
    times = []
    for item in SigningPage(version, signer, at).items[:CHANGES]:
        answer = Answer(item.pk, item.digest, "approve")
        for row in writer.rows([(item.standing, answer)], {item.pk: item.label}):
            row.save()
        times += timed(partial(client.get, f"/frameworks/large/v{version.number}/"), 1)
    say(f"version page, first request after a signature: {told(times)} ({_load()})")


def _measure_restarts() -> None:
    """The first request that a process ever answers, with what it reads before it takes any."""
    for page in ("version", "diff_since_signed", "signing"):
        command = [sys.executable, "-m", "tests.frameworks.large", "0", "0", "--first", "signer", page]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(RESTARTS)]
        say(f"{page}, first request of a process: {told([float(each.stdout) for each in runs])} ({_load()})")


def first_request(reader: str, page: str) -> None:
    """Print the milliseconds of this process's only request; the database is the environment's."""
    _set_up()
    from frameworks.models import Framework, FrameworkVersion

    client = _client(READERS[reader])
    time.sleep(PAUSE)
    version = Framework.objects.get(slug="large").versions.get(state=FrameworkVersion.State.IN_REVIEW)
    address = addresses(version.number, str(version.uuid))[page]
    say(f"{timed(partial(client.get, address), 1)[0]:.1f}")


if __name__ == "__main__":
    main()
