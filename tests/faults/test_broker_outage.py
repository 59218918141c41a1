"""The broker goes away: people keep working, and the work is done when it is back."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.faults.broker import Broker
from tests.journeys.prepared import running_site
from tests.journeys.site import Site

ACCOUNTS = 20


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def site(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site("fault", tmp_path_factory.mktemp("fault"), stage="active", redis_url=broker.url) as site:
        yield site


def push(site: Site, token: str, external_ids: list[str], arr: str) -> float:
    """Push a new ARR for the accounts in one request; returns the seconds it took."""
    items = [{"source": "fortune1000", "external_id": each, "arr": arr} for each in external_ids]
    request = urllib.request.Request(
        f"{site.address}/api/v1/accounts/batch/upsert",
        data=json.dumps({"items": items}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200, answer.read()
    return time.monotonic() - started


def test_broker_outage_people_keep_working_and_the_work_is_done_afterwards(site: Site, broker: Broker) -> None:
    token = site.manage(
        "token", "issue", "--owner", "crm@demo.cutline.example", "--name", "fault", "--scope", "accounts:write"
    ).split()[-1]
    ids = [
        str(row[0])
        for row in site.query(
            "SELECT i.external_id FROM accounts_accountidentifier i JOIN accounts_assignment x USING (account_id)"
            " JOIN frameworks_segment s ON s.id = x.effective_id"
            " WHERE i.source = 'fortune1000' AND s.key = 'mid_market' ORDER BY 1 LIMIT %s",
            ACCOUNTS,
        )
    ]
    before = site.query("SELECT coalesce(max(id), 0) FROM accounts_transition")[0][0]

    broker.kill()
    seconds = [push(site, token, ids[n : n + 5], "1500000.00") for n in range(0, ACCOUNTS, 5)]

    assert max(seconds) < 5, seconds
    waiting = site.query("SELECT count(DISTINCT account_id) FROM accounts_pendingevaluation")[0][0]
    assert waiting == ACCOUNTS

    broker.start()
    _wait_until_drained(site, 90)

    moved = site.query(
        "SELECT count(DISTINCT t.account_id) FROM accounts_transition t JOIN frameworks_segment s"
        " ON s.id = t.to_segment_id WHERE t.id > %s AND s.key = 'strategic' AND t.cause = 'data'",
        before,
    )[0][0]
    assert moved == ACCOUNTS


def _wait_until_drained(site: Site, seconds: float) -> None:
    end = time.monotonic() + seconds
    while site.query("SELECT count(*) FROM accounts_pendingevaluation")[0][0]:
        assert time.monotonic() < end, f"Not drained after {seconds} s\n{site.said()}"
        time.sleep(0.5)
