"""A process that was forked after JAX had started is told so, instead of waiting for ever."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import bayescale as bs
model = bs.Model.at("power", pivot={"N": 1e8})
runs = model.simulate({"N": np.geomspace(1e6, 1e10, 20)}, seed=0).runs
START
child = os.fork()
signal.alarm(40)  # what hangs ends
if child == 0:
    try:
        WORK
        print("worked", flush=True)
    except bs.errors.UsageError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize(
    ("start", "work", "sentence"),
    [
        ("import jax; jax.devices()", "bs.fit(runs, 'power', engine='laplace')", "forked after"),
        pytest.param(
            "import jax; jax.devices()",
            "bs.fit_many([runs, runs], 'power')",
            "forked after",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "found = bs.fit(runs, 'power', engine='laplace')",
            "bs.plan(found, compute=1e20, objective='cvar(0.9)', force=True)",
            "forked after",
            marks=pytest.mark.slow,
        ),
        ("", "bs.fit(runs, 'power', engine='laplace')", "worked"),
    ],
)
def test_a_fork_after_jax_started_is_told(start: str, work: str, sentence: str) -> None:
    if "plan" in work:  # of a law that can be planned with
        start = start.replace("'power'", "'chinchilla'").replace("runs,", "both,")
        start = (
            "at = bs.Model.at('chinchilla', pivot={'N': 1e8, 'D': 1e10}); "
            "sizes = np.geomspace(1e6, 1e10, 20); "
            "both = at.simulate({'N': sizes, 'D': 1e12 / sizes[::-1]}, seed=0).runs; " + start
        )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("START", start).replace("WORK", work)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert sentence in done.stdout, done.stderr[-2000:]
