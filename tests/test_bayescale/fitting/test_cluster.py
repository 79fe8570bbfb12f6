"""`fit_many` on a Dask cluster: the same numbers as in one process, also when a worker is lost."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest

import bayescale.fitting.many
from bayescale.fitting.many import fit_many
from bayescale.models.model import Model
from bayescale.runs.table import Runs

distributed = pytest.importorskip("distributed")

PIVOT = {"N": 3e8}


def table(seed: int) -> Runs:
    rng = np.random.default_rng(seed)
    design = pd.DataFrame({"N": 10 ** rng.uniform(7, 9.5, 20)})
    truth = {"sigma": 0.005, "nu": 6.0}
    return Model.at("power", pivot=PIVOT).simulate(design, seed=seed, coordinates=truth).runs


@pytest.fixture(scope="module")
def cluster():
    # Spawned, since JAX's threads do not survive a fork; one thread a worker.
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit="3GiB",
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bayescale.fitting.many, "TABLES", 2)


def as_bytes(fits) -> bytes:
    table = fits.summary()
    return table.to_numpy().tobytes() + repr(list(table.index)).encode()


@pytest.mark.slow  # each worker compiles for itself
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("small_chunks")
def test_two_workers_one_of_them_killed_give_the_bytes_of_one_process(cluster) -> None:
    tables = [table(seed) for seed in range(6)]
    alone = fit_many(tables, "power", seed=5)
    assert as_bytes(fit_many(tables, "power", seed=5, client=cluster)) == as_bytes(alone)

    first = next(iter(cluster.scheduler_info(n_workers=-1)["workers"]))
    pid = cluster.run(os.getpid)[first]

    def strike() -> None:
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=strike)
    killer.start()
    again = fit_many(tables, "power", seed=5, client=cluster)
    killer.join()
    assert as_bytes(again) == as_bytes(alone)
    assert pickle.dumps(again.diagnostics["attempts"].tolist()) == pickle.dumps(
        alone.diagnostics["attempts"].tolist()
    )
