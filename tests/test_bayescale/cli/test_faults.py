"""Faults at any moment: kills, signals, full disks, damaged input. Nothing is lost or half-written.

`python -m pytest -m slow -k faults -s` goes on for ten minutes, or for as many seconds as the
environment variable `BAYESCALE_FAULT_SECONDS` says; a few rounds are in every run.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import bayescale as bs
from bayescale.errors import Exit
from bayescale.posteriors.saved import load_saved

# Commands are started from a process in which other tests have started JAX; they run their own.
pytestmark = pytest.mark.filterwarnings(
    "ignore:os.fork:RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
LONG = float(os.environ.get("BAYESCALE_FAULT_SECONDS", "600"))
"""Seconds of the long version."""
WITHIN = 4.0
"""Seconds within which a command has stopped: its own limit is two, and the machine may be busy."""
STOPPED = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
ENDED = {Exit.DONE, Exit.REFUSED}
"""How a command ends that nothing befell."""
COLUMNS = ["--column", "N=Model Size", "--column", "C=Training FLOP"]


@dataclass(frozen=True)
class Inputs:
    """What commands read: a table, posteriors of two laws, their stack, and the log of a run."""

    table: Path
    saved: Path
    other: Path
    stack: Path
    log: Path

    def files(self) -> list[Path]:
        """All of them."""
        return [self.table, self.saved, self.other, self.stack, self.log]

    def copied(self, folder: Path) -> "Inputs":
        """Copies, to be damaged."""
        folder.mkdir(exist_ok=True)
        return Inputs(*(Path(shutil.copy(path, folder)) for path in self.files()))


@pytest.fixture(scope="session")
def inputs(table: Path, saved: Path, other: Path) -> Inputs:
    members = {"additive": bs.Posterior.load(saved), "share": bs.Posterior.load(other)}
    stack = bs.stack(members, by="loo").save(table.parent / "stack.nc")
    lines = [{"step": 0, "config": {"N": 1e8, "tokens_per_step": 1e6}}]
    lines += [{"step": step, "loss": 3 + 10 / step} for step in range(1, 400)]
    log = table.parent / "log.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return Inputs(table, saved, other, stack, log)


def commands(given: Inputs, out: Path) -> dict[str, list[object]]:
    """Verb, or verb and what it is used with -> arguments that write into a folder."""
    fit = ["fit", given.table, *COLUMNS, "--law", "chinchilla", "--force", "-o", out / "fit.nc"]
    budget = ["--compute", "1e20", "--force", "-o"]
    return {
        "laplace": [*fit, "--engine", "laplace"],
        "numpyro": fit,
        "pymc": [*fit, "--engine", "pymc"],
        "plan": ["plan", given.saved, *budget, out / "plan.png"],
        "plan of a stack": ["plan", given.saved, given.other, *budget, out / "plan.png"],
        "plan of a saved stack": ["plan", given.stack, *budget, out / "plan.png"],
        "report": ["report", given.saved, *budget, out / "page.html"],
        "report of a stack": ["report", given.stack, *budget, out / "page.html"],
        "planner": ["planner", given.saved, *budget, out / "planner.html"],
        "compare": ["compare", given.saved, given.other, "--by", "loo", "--force"],
        "summary": ["summary", given.saved, "--force"],
        "audit": ["audit", given.table, *COLUMNS],
        "read": ["read", given.log, "-o", out / "table.parquet"],
        "calibrate": [
            *("calibrate", given.table, *COLUMNS, "--law", "chinchilla"),
            *("-o", out / "c.png", "--resume", out / "kept"),
        ],
        "dmft": [
            *("simulate", "dmft", out / "d.parquet", "--a", "1.5", "--b", "1.2", "--t", "1"),
            *("--N", "60", "--N", "80", "--draws", "400"),
        ],
        "laws": ["laws"],
    }


def heeds_signals() -> None:
    """Take signals as usual: where the tests run in the background of a shell they are ignored."""
    for number in STOPPED:
        signal.signal(number, signal.SIG_DFL)


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
        preexec_fn=heeds_signals,
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
            load_saved(path)
        elif path.suffix == ".parquet":
            assert len(pd.read_parquet(path)) > 0
        elif path.suffix == ".png":
            assert imread(path).size > 0
        elif path.suffix == ".html":
            assert path.read_text("utf-8").rstrip().endswith("</html>")
        else:
            assert path.suffix == ".partial", path


def files(out: Path) -> set[str]:
    """Names of what lies in a folder and is no temporary file."""
    return {one.name for one in out.iterdir() if one.suffix != ".partial"}


def damage(path: Path, rng: random.Random) -> None:
    """Flip, cut, repeat or insert bytes of a file."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 3, 30])):
        place = rng.randrange(len(content) + 1)
        kind = rng.choice(["flip", "cut", "repeat", "insert", "end"])
        if kind == "flip" and place < len(content):
            content[place] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del content[place : place + rng.choice([1, 40, 5000])]
        elif kind == "repeat":
            content[place:place] = content[place : place + rng.choice([1, 40, 5000])]
        elif kind == "insert":
            content[place:place] = rng.choice([b"\x00", b'"', b"\n", b"nan", b"1e999", b"[" * 999])
        else:
            del content[rng.randrange(len(content) // 2, len(content) + 1) :]
    path.write_bytes(content)


def struck(
    name: str, given: Inputs, out: Path, rng: random.Random, longest: float
) -> tuple[str, int]:
    """Run a command, let a signal come at a random moment; what was left is looked at."""
    arguments = commands(given, out)[name]
    number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    before = files(out)
    code, took, error = stopped_after(arguments, rng.uniform(0.3, longest), number)
    told = (name, signal.Signals(number).name, code, took, error)
    if number in STOPPED and took:
        # What was done before the signal came is complete, what was not is stopped.
        assert code in {STOPPED[number], *ENDED}, told
        assert took < WITHIN, told
        assert not list(out.glob(".*.partial")), told
    elif took:
        assert code == -signal.SIGKILL, told
    else:
        assert code in ENDED, told
    check(out, before, told)
    return (signal.Signals(number).name if took else "nothing"), code


def filled(
    name: str, given: Inputs, out: Path, rng: random.Random, longest: float
) -> tuple[str, int]:
    """Run a command that may write files up to a random size only."""
    before = files(out)
    size = rng.choice([0, 4, 60, 200, 500])
    code, _, error = stopped_after(commands(given, out)[name], 300, signal.SIGKILL, limit=size)
    told = (name, f"files of {size} KiB", code, error)
    assert code in {Exit.DATA, *ENDED}, told
    assert not list(out.glob(".*.partial")), told
    check(out, before, told)
    return "file size", code


def without_room(
    name: str, given: Inputs, out: Path, rng: random.Random, longest: float
) -> tuple[str, int]:
    """Run a command on a disk that has room for a little only, in memory; looked at afterwards."""
    before, kept = files(out), out.with_name(f"{out.name} left")
    size = rng.choice([8, 64, 250, 1000])
    script = (
        f'kept=$1 out=$2; shift 2; mount -t tmpfs -o size={size}k,mode=777 none "$out" || exit 99; '
        f'dd if=/dev/zero of="$out/filler" bs=1k count={size // 2} 2>/dev/null; "$@"; code=$?; '
        'rm -f "$out/filler"; cp -a "$out" "$kept"; exit $code'
    )
    command = [sys.executable, "-m", "bayescale", *map(str, commands(given, out)[name])]
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", script, "bash", str(kept), str(out), *command],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    told = (name, f"a disk of {size} KiB", done.returncode, done.stderr)
    assert done.returncode in {Exit.DATA, *ENDED}, told
    assert not list(kept.glob(".*.partial")), told
    check(kept, set(), told)
    check(out, before, told)
    shutil.rmtree(kept)
    return "full disk", done.returncode


def misled(
    name: str, given: Inputs, out: Path, rng: random.Random, longest: float
) -> tuple[str, int]:
    """Run a command of which one file that it reads is damaged."""
    copies = given.copied(out.with_name("damaged"))
    read = [path for path in copies.files() if path in commands(copies, out)[name]]
    for path in read[:1] if rng.random() < 0.5 else read:
        damage(path, rng)
    before = files(out)
    code, took, error = stopped_after(commands(copies, out)[name], longest * 4, signal.SIGTERM)
    told = (name, "damaged", code, took, error)
    allowed = {Exit.DATA, Exit.LIMIT, Exit.USAGE, *ENDED, *([Exit.TERMINATED] if took else [])}
    assert code in allowed, told
    check(out, before, told)
    return "damaged input", code


def check(out: Path, before: set[str], told: tuple[object, ...]) -> None:
    """What was there is there, what is there is whole, and no library spoke."""
    assert "Traceback" not in str(told[-1]), told
    assert before <= files(out), told
    whole(out)


Strike = Callable[[str, Inputs, Path, random.Random, float], tuple[str, int]]
STRIKES: list[Strike] = [struck, struck, filled, misled]


def has_namespaces(folder: Path) -> bool:
    """Whether a small disk can be made for a command alone."""
    line = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(folder)]
    try:
        return subprocess.run(line, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize("name", ["laplace", "dmft", "laws"])
@pytest.mark.parametrize("number", STOPPED)
def test_a_signal_stops_a_command_with_its_code(
    name: str, number: int, inputs: Inputs, tmp_path: Path
) -> None:
    arguments = commands(inputs, tmp_path)[name]
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
    size: int, inputs: Inputs, tmp_path: Path
) -> None:
    old = tmp_path / "fit.nc"
    old.write_bytes(inputs.saved.read_bytes())
    arguments = commands(inputs, tmp_path)["laplace"]
    code, _, error = stopped_after(arguments, 300, signal.SIGKILL, limit=size)
    assert code == Exit.DATA, error
    assert error.splitlines()[-1].startswith(f"error: '{old}' cannot be written: it would be")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.nc"]
    assert old.read_bytes() == inputs.saved.read_bytes()


def test_faults_at_random_moments_lose_nothing(inputs: Inputs, tmp_path: Path) -> None:
    rng = random.Random(1)
    for name, strike in (("laplace", struck), ("calibrate", struck), ("plan of a stack", misled)):
        out = tmp_path / name
        out.mkdir()
        strike(name, inputs, out, rng, 15.0)


@pytest.mark.slow
def test_faults_for_ten_minutes_lose_nothing(inputs: Inputs, tmp_path: Path) -> None:
    seed = int(os.environ.get("BAYESCALE_FAULT_SEED", random.randrange(2**32)))
    rng, end = random.Random(seed), time.monotonic() + LONG
    strikes = [*STRIKES, *([without_room] if has_namespaces(tmp_path) else [])]
    names, rounds, found = [*commands(inputs, tmp_path)], 0, Counter[tuple[str, str, int]]()
    print(f"seed {seed}")  # noqa: T201
    while time.monotonic() < end:
        name = names[rounds % len(names)]
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        found[name, *rng.choice(strikes)(name, inputs, out, rng, 15.0)] += 1
        rounds += 1
    for (name, fault, code), count in sorted(found.items()):
        print(f"{name:24s}{fault:16s}exit {code:4d}  {count} times")  # noqa: T201
    print(f"{rounds} faults")  # noqa: T201
    # Left to itself every command still works where it was struck, and cleans up.
    for name in ("laplace", "dmft", "report", "calibrate"):
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        code, _, error = stopped_after(commands(inputs, out)[name], 300, signal.SIGKILL)
        assert code in ENDED, error
        assert not list(out.glob(".*.partial"))
    assert rounds > LONG / 30
