"""Make the fixtures of TensorBoard: python tests/reference/logs/make_tensorboard.py.

With tensorboardX 2.6.5 (a run that finishes, with hyperparameters, text and a histogram; a run
that is killed after 300 steps and taken up again at step 150, in a second file) and tensorboard
2.21.0 (scalars as tensors).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from logged import CONFIG, RESUMED_AT, rows

HERE = Path(__file__).resolve().parent / "tensorboard"


def train(how: str) -> None:
    socket.gethostname = lambda: "host"
    from tensorboardX import SummaryWriter

    again = how in ("killed", "resumed")
    writer = SummaryWriter(str(HERE / ("restarted" if again else how)))
    logged = rows(300 if again else 20, seed=1 if how == "resumed" else 0)
    for step, row in enumerate(logged):
        if how != "resumed" or step >= RESUMED_AT:
            for tag, value in row.items():
                writer.add_scalar(tag, value, step)
    if how == "killed":
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "finished":
        import numpy as np

        writer.add_text("notes", "a \N{SNOWMAN}", 3)
        writer.add_histogram("weights", np.arange(9.0), 3)
        writer.add_hparams(CONFIG, {"final": 2.5})
    writer.close()


def tensors() -> None:
    socket.gethostname = lambda: "host"
    import numpy as np
    from tensorboard.summary import Writer
    from tensorboard.summary._output import DirectoryOutput

    writer = Writer(DirectoryOutput(str(HERE / "tensors")))
    for step, row in enumerate(rows(20)):
        for tag, value in row.items():
            writer.add_scalar(tag, np.float32(value), step)
    writer.close()


def make() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    for how in ("finished", "killed", "resumed", "tensors"):
        subprocess.run([sys.executable, __file__, how], check=False)
        time.sleep(1.5)
    for file in HERE.rglob("*tfevents*"):  # the number of the process and a counter end the name
        head = ".".join(file.name.split(".")[:4])
        file.rename(file.with_name(f"{head}.host"))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        make()
    elif sys.argv[1] == "tensors":
        tensors()
    else:
        train(sys.argv[1])
