"""Faults at any moment: kills, signals, full disks. Nothing is lost, nothing is half-written.

`python -m pytest -m slow -k faults` goes on for ten minutes; a few rounds are in every run.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import bayescale as bs
from bayescale.errors import Exit

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
LONG = 600.0
"""Seconds of the long version."""
WITHIN = 4.0
"""Seconds within which a command has stopped: its own limit is two, and the machine may be busy."""
STOPPED = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
COLUMNS = ["--column", "N=Model Size", "--column", "C=Training FLOP"]


def commands(table: Path, saved: Path, out: Path) -> dict[str, list[object]]:
    """Verb, or verb and engine -> arguments that write into a folder."""
    fit = ["fit", table, *COLUMNS, "--law", "chinchilla", "--force", "-o", out / "fit.nc"]
    return {
        "laplace": [*fit, "--engine", "laplace"],
        "numpyro": fit,
        "pymc": [*fit, "--engine", "pymc"],
        "plan": ["plan", saved, "--compute", "1e20", "-o", out / "plan.png"],
        "calibrate": [
            *("calibrate", table, *COLUMNS, "--law", "chinchilla"),
            *("-o", out / "c.png", "--resume", out / "kept"),
        ],
        "dmft": [
            *("simulate", "dmft", out / "d.parquet", "--a", "1.5", "--b", "1.2", "--t", "1"),
            *("--N", "60", "--N", "80", "--draws", "400"),
        ],
        "laws": ["laws"],
    }


def stopped_after(
    arguments: Sequence[object], seconds: float, number: int, limit: int | str = "unlimited"
) -> tuple[int, float, str]:
    """Exit code of a command, seconds from the signal to its end, and what it said.

    `limit` is that on the size of its files, in KiB.
    """
    command = [sys.executable, "-m", "bayescale", *map(str, arguments)]
    process = subprocess.Popen(
        ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        _, error = process.communicate(timeout=seconds)
        return process.returncode, 0.0, error
    except subprocess.TimeoutExpired:
        begun = time.monotonic()
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        return process.returncode, time.monotonic() - begun, error


def whole(out: Path) -> None:
    """Every file of a folder can be read; temporary files may lie there, but no others."""
    import pandas as pd
    from matplotlib.image import imread

    for path in (one for one in out.iterdir() if one.is_file()):
        if path.suffix == ".nc":
            bs.Posterior.load(path)
        elif path.suffix == ".parquet":
            assert len(pd.read_parquet(path)) > 0
        elif path.suffix == ".png":
            assert imread(path).size > 0
        else:
            assert path.suffix == ".partial", path


def strike(name: str, arguments: Sequence[object], out: Path, rng: random.Random) -> None:
    """Run a command, stop it at a random moment, and look at what is left."""
    number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    code, took, error = stopped_after(arguments, rng.uniform(0.3, 15.0), number)
    told = (name, signal.Signals(number).name, code, took, error)
    if number in STOPPED and took:
        # What was done before the signal came is complete, what was not is stopped.
        assert code in (STOPPED[number], Exit.DONE), told
        assert took < WITHIN, told
        assert "Traceback" not in error, told
        assert not list(out.glob(".*.partial")), told
    elif took:
        assert code == -signal.SIGKILL, told
    else:
        assert code in (Exit.DONE, Exit.REFUSED), told
    whole(out)


@pytest.mark.parametrize("name", ["laplace", "dmft", "laws"])
@pytest.mark.parametrize("number", STOPPED)
def test_a_signal_stops_a_command_with_its_code(
    name: str, number: int, table: Path, saved: Path, tmp_path: Path
) -> None:
    arguments = commands(table, saved, tmp_path)[name]
    code, took, error = stopped_after(arguments, 0.5, number)
    assert code == STOPPED[number], error
    assert took < WITHIN
    assert error.splitlines()[-1] == f"{STOPPED[number].meaning}; no file is half-written."
    assert "Traceback" not in error
    assert not [one for one in tmp_path.iterdir() if one.name != "d.parquet"]


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from bayescale.cli.process import run\n"
        "run(lambda: (os.kill(os.getpid(), signal.SIGINT), time.sleep(0.1), print('went on')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert (done.returncode, done.stdout) == (0, "went on\n")


SWALLOWING = """
import os, signal, time
from bayescale.cli.process import run

def busy():
    os.kill(os.getpid(), signal.{name})
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def main():
    try:
        busy()
    except BaseException:
        busy() if {again} else time.sleep(60)

run(main)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("again", [True, False])
def test_a_command_that_swallows_a_signal_is_ended(name: str, again: bool) -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWING.format(name=name, again=again)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert done.returncode == STOPPED[signal.Signals[name]]
    assert "no file is half-written" in done.stderr
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("size", [0, 4, 200])
def test_a_disk_that_fills_up_leaves_the_old_file(
    size: int, table: Path, saved: Path, tmp_path: Path
) -> None:
    old = tmp_path / "fit.nc"
    old.write_bytes(saved.read_bytes())
    arguments = commands(table, saved, tmp_path)["laplace"]
    code, _, error = stopped_after(arguments, 300, signal.SIGKILL, limit=size)
    assert code == Exit.DATA, error
    assert error.splitlines()[-1].startswith(f"error: '{old}' cannot be written: it would be")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.nc"]
    assert old.read_bytes() == saved.read_bytes()


def test_faults_at_random_moments_lose_nothing(table: Path, saved: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    for name in ("laplace", "calibrate"):
        out = tmp_path / name
        out.mkdir()
        strike(name, commands(table, saved, out)[name], out, rng)


@pytest.mark.slow
def test_faults_for_ten_minutes_lose_nothing(table: Path, saved: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    rng, end, count = random.Random(seed), time.monotonic() + LONG, 0
    while time.monotonic() < end:
        name = rng.choice([*commands(table, saved, tmp_path)])
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        arguments: Any = commands(table, saved, out)[name]
        strike(name, arguments, out, rng)
        count += 1
    # Left to itself every command still works where it was struck, and cleans up.
    for name in ("laplace", "dmft", "calibrate"):
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        code, _, error = stopped_after(commands(table, saved, out)[name], 300, signal.SIGKILL)
        assert code in (Exit.DONE, Exit.REFUSED), error
        assert not list(out.glob(".*.partial"))
    assert count > 20
