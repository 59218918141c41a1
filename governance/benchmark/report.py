"""What was measured: values under stable keys, printed as `key: value` lines or as one JSON document."""

import json
import math
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class Report:
    """Values in the order in which they were measured. `on_line` gets each line as soon as it is known."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self.values: dict[str, Any] = {}
        self._on_line = on_line

    def add(self, key: str, value: float | str) -> None:
        self.values[key] = _rounded(value)
        if self._on_line:
            self._on_line(f"{key}: {self.values[key]}")

    def add_comparison(self, key: str, product: Sequence[float], bare: Mapping[str, Sequence[float]]) -> None:
        """Medians in seconds: the product's, each bare variant's, and the ratio to the fastest of these."""
        self.add(f"{key}_seconds", statistics.median(product))
        medians = {name: statistics.median(seconds) for name, seconds in bare.items()}
        for name, seconds in medians.items():
            self.add(f"{key}_bare_{name}_seconds", seconds)
        self.add(f"{key}_ratio", statistics.median(product) / min(medians.values()))

    def as_json(self) -> str:
        return json.dumps(self.values, indent=1)


def _rounded(value: float | str) -> float | str:
    """Four significant digits are more than a shared machine can repeat."""
    if isinstance(value, str | int):
        return value
    return float(f"{value:.4g}")


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def growth_exponent(seconds: Mapping[int, float]) -> float:
    """The k of seconds ~ accounts^k, by least squares over the logarithms; 1 is linear. Needs two sizes at least."""
    sizes, times = [math.log(size) for size in seconds], [math.log(value) for value in seconds.values()]
    return statistics.linear_regression(sizes, times).slope


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def peak_memory_mb() -> float:
    """The most memory this process ever held, in MB of 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def machine(database_version: str) -> str:
    """Processors, memory, system and database in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors{_model()}, {memory:.0f} GiB, {platform.system()}, {database_version}"


def _model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f" ({names[0]})" if names else ""
