"""An interrupted sampling is never a result, by whatever sampler."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayescale as bs
from bayescale.engines.interrupts import never_truncated, require_complete
from bayescale.engines.samplers import pymc


@pytest.fixture(scope="module")
def runs() -> bs.Runs:
    model = bs.Model.at("power", pivot={"N": 1e8})
    return model.simulate({"N": np.geomspace(1e6, 1e10, 25)}, seed=0).runs


def interrupt_soon(seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_sampler_that_catches_an_interrupt_is_interrupted_all_the_same() -> None:
    def greedy() -> str:
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            pass
        return "what it has so far"

    timer = interrupt_soon(0.2)
    with pytest.raises(KeyboardInterrupt), never_truncated():
        greedy()
    timer.join()


def test_fewer_draws_than_asked_for_are_no_result() -> None:
    tree: Any = {"posterior": SimpleNamespace(sizes={"chain": 4, "draw": 812})}
    require_complete(tree, 4, 812)
    with pytest.raises(KeyboardInterrupt, match="after 4 chains of 812 of 4 x 1000 draws"):
        require_complete(tree, 4, 1000)
    with pytest.raises(KeyboardInterrupt):
        require_complete(tree, 5, 812)


@pytest.mark.slow  # an interrupt that falls into a callback of C is lost, and the draws go on
@pytest.mark.parametrize("name", ["numpyro", "pymc", "nutpie"])
def test_ctrl_c_amid_the_draws_raises(
    name: str, runs: bs.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far more draws are asked for than can be made before the interrupt comes."""
    if name == "pymc":
        monkeypatch.setattr(pymc, "_available", lambda: ("pymc", pymc._by_pymc))
    timers: list[threading.Timer] = []

    def told(stage: str) -> None:
        if (stage.startswith("NUTS: ") and "compiling" not in stage) or name == "numpyro":
            timers.append(interrupt_soon(1.5))

    engine = "numpyro" if name == "numpyro" else "pymc"
    with pytest.raises(KeyboardInterrupt):
        bs.fit(runs, "power", engine=engine, draws=2_000_000, chains=2, seed=0, progress=told)
    for timer in timers:
        timer.cancel()
