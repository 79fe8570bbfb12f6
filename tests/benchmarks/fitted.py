"""Fits of laws to the smaller runs of real tables, kept in a folder so that they are made once.

    BAYESCALE_DATA=... python tests/benchmarks/fitted.py [LAW ...]

Every setting of `extrapolation.py` is fitted by `bs.fit` with its defaults and seed 0: by the
Laplace engine where its importance weights are accepted, else by NUTS. The posterior is saved under
`build/calibration`; what stops goes on from there, and one whose default priors or noise have
changed is fitted again.
"""

import sys
import time
import warnings
from pathlib import Path

from extrapolation import Setting, settings

import bayescale as bs
from bayescale.models.model import Model
from bayescale.posteriors.posterior import Posterior

CACHE = Path(__file__).parents[2] / "build" / "calibration"
LAWS = ("share", "chinchilla")


def fitted(setting: Setting, law: str) -> Posterior:
    """The posterior of a law for the smaller runs of a setting."""
    name = f"{law} {setting.name}".replace("/", "-").replace(" ", "_")
    path = CACHE / f"{name}.nc"
    if path.exists():
        kept = bs.Posterior.load(path)
        assert kept.model is not None
        wanted = Model.for_runs(law, setting.past, drift=kept.model.drift)
        if kept.model.to_dict() == wanted.to_dict():
            return kept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            post = bs.fit(setting.past, law, engine="laplace", seed=0)
            good = post.diagnosis.status != "refuse"
        except bs.DiagnosticsRefused:
            good = False
        if not good:
            post = bs.fit(setting.past, law, seed=0)
    CACHE.mkdir(parents=True, exist_ok=True)
    post.save(path)
    return post


if __name__ == "__main__":
    for law in sys.argv[1:] or LAWS:
        for one in settings():
            start = time.process_time()
            status = fitted(one, law).diagnosis.status
            engine = fitted(one, law).record["engine"]
            spent = time.process_time() - start
            print(f"{law}, {one.name}: {status} by {engine}, {spent:.1f} s", flush=True)
