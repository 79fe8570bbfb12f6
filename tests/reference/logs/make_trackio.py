"""Make the fixtures of Trackio: python tests/reference/logs/make_trackio.py, with trackio 0.43.0.

One project, packed by gzip: a run that finishes, one that is killed after 60 steps and taken up
again at step 30, and one that is killed.
"""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from logged import CONFIG, rows

HERE = Path(__file__).resolve().parent
RESUMED_AT = 30


def train(how: str) -> None:
    import trackio

    trackio.init(
        project="fixtures",
        name="restarted" if how == "resumed" else how,
        config={**CONFIG, "model": {"width": 64}},
        resume="must" if how == "resumed" else "never",
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    many = how in ("killed", "restarted", "resumed")
    for step, row in enumerate(rows(60 if many else 20, seed=1 if how == "resumed" else 0)):
        if how != "resumed" or step >= RESUMED_AT:
            trackio.log({**row, "deep": {"er": step}, "text": "a \N{SNOWMAN}"}, step=step)
    if how in ("killed", "restarted"):
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGKILL)
    trackio.finish()


def make() -> None:
    target = HERE / "trackio"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory() as home:
        for how in ("finished", "restarted", "resumed", "killed"):
            subprocess.run(
                [sys.executable, __file__, how],
                env={"PATH": os.environ["PATH"], "HOME": home, "TRACKIO_DIR": f"{home}/trackio"},
                cwd=home,
                stdout=subprocess.DEVNULL,
                check=False,
            )
        database = Path(home, "trackio", "fixtures.db")
        (target / "fixtures.db.gz").write_bytes(gzip.compress(database.read_bytes(), mtime=0))


if __name__ == "__main__":
    train(sys.argv[1]) if len(sys.argv) > 1 else make()
