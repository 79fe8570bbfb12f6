"""Make the fixtures of W&B: python tests/reference/logs/make_wandb.py, with wandb 0.31.0.

Four runs, offline: one that finishes, one that raises, one that is killed after 300 steps, and the
killed one taken up again at step 150. Each runs in a process of its own.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from logged import CONFIG, RESUMED_AT, rows

HERE = Path(__file__).resolve().parent
NEUTRAL = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}


def train(how: str) -> None:
    import wandb

    again = how in ("killed", "resumed")
    run = wandb.init(
        project="fixtures",
        name="small",
        id="killed01" if again else f"{how}1",
        dir=".",
        config={**CONFIG, "model": {"width": 64, "sizes": [1, 2]}},
        settings=wandb.Settings(
            host="host",
            program="train.py",
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        ),
    )
    logged = rows(300 if again else 20, seed=1 if how == "resumed" else 0)
    for step, row in enumerate(logged):
        if how == "resumed" and step < RESUMED_AT:
            continue
        run.log({**row, "deep": {"er": {"one": step}}}, step=step)
    if how == "killed":
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "failed":
        raise RuntimeError
    run.log({"text": "done \N{SNOWMAN}"})
    run.finish()


def make() -> None:
    target = HERE / "wandb"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as home:
        for how in ("finished", "failed", "killed", "resumed"):
            subprocess.run(
                [sys.executable, __file__, how],
                env={"PATH": os.environ["PATH"], "HOME": home, **NEUTRAL},
                cwd=home,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            time.sleep(2)
        for file in sorted(Path(home).glob("wandb/offline-run-*/*.wandb")):
            folder = target / file.parent.name
            folder.mkdir(parents=True)
            shutil.copy(file, folder)


if __name__ == "__main__":
    train(sys.argv[1]) if len(sys.argv) > 1 else make()
