"""Whole-process cost of the command line on the 245 digitised Chinchilla runs.

Prints CPU seconds (user + system, children included) and peak memory of `bayescale fit` followed
by `bayescale plan`, for each engine: cold (no compilation cache) and warm (JAX's persistent
cache filled by one run before), and the wall time of `bayescale --help`. Medians of several runs.

    python tests/benchmarks/cli.py [--repeats 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BUDGET = "5.76e23"
LIMITS = {"numpyro": 20.0, "laplace": 9.0}
"""CPU seconds, cold, that fit and plan together should not exceed."""


@dataclass(frozen=True)
class Usage:
    """What one process used."""

    cpu: float
    wall: float
    peak_mib: float

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.cpu + other.cpu, self.wall + other.wall, max(self.peak_mib, other.peak_mib)
        )


def measure(command: list[str], environment: dict[str, str]) -> Usage:
    """Run a command to its end and ask the operating system what it used."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)} failed:\n{complaint}")
    wall = time.perf_counter() - start
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def fit_and_plan(engine: str, environment: dict[str, str]) -> tuple[Usage, Usage]:
    """Fit, save, and plan from the saved posterior; two processes."""
    bayescale = str(Path(sys.executable).parent / "bayescale")
    with tempfile.TemporaryDirectory() as folder:
        saved = str(Path(folder) / "fit.nc")
        fit = [bayescale, "fit", "epoch_chinchilla", "--engine", engine, "--seed", "0"]
        return (
            measure([*fit, "-o", saved], environment),
            measure([bayescale, "plan", saved, "--compute", BUDGET], environment),
        )


def report(title: str, usages: list[Usage], limit: float | None = None) -> None:
    """Print the medians of several runs in one line."""
    cpu = statistics.median(usage.cpu for usage in usages)
    wall = statistics.median(usage.wall for usage in usages)
    peak = max(usage.peak_mib for usage in usages)
    ratio = f", {cpu / limit:.2f} of the {limit:.0f} s allowed" if limit else ""
    spread = f"{min(u.cpu for u in usages):.1f}-{max(u.cpu for u in usages):.1f}"
    print(
        f"{title:34s} {cpu:6.2f} CPU s ({spread}){ratio}; {wall:5.1f} s wall; {peak:5.0f} MiB peak"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    if beside.is_dir():
        os.environ.setdefault("BAYESCALE_DATA", str(beside))
    cold = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    print(f"bayescale fit + plan on epoch_chinchilla, medians of {repeats}, {os.cpu_count()} cores")
    for engine, limit in LIMITS.items():
        pairs = [fit_and_plan(engine, cold) for _ in range(repeats)]
        report(f"{engine} cold: fit + plan", [fit + plan for fit, plan in pairs], limit)
        report(f"{engine} cold: fit alone", [fit for fit, _ in pairs])
        report(f"{engine} cold: plan alone", [plan for _, plan in pairs])
        with tempfile.TemporaryDirectory() as cache:
            warm = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
            fit_and_plan(engine, warm)
            pairs = [fit_and_plan(engine, warm) for _ in range(repeats)]
        report(f"{engine} warm: fit + plan", [fit + plan for fit, plan in pairs])
    bayescale = str(Path(sys.executable).parent / "bayescale")
    helps = [measure([bayescale, "--help"], dict(os.environ)) for _ in range(repeats)]
    report("bayescale --help", helps)


if __name__ == "__main__":
    main()
