"""Do the intervals of larger runs hold on real tables? Every source is forecast by the others.

    BAYESCALE_DATA=... make calibration

or ``python tests/benchmarks/calibration.py``. Each setting of `extrapolation.py` is fitted below
its cut (`fitted.py`, kept, so that a run that stops goes on) and forecasts the runs ahead. The
drift is the one that the *other* sources teach (`drift_reference.py`), so that the figures predict
what a source not seen yet will find. Beside it, on the same runs: the drift as shipped, that of
0.1, none, one slope a run in place of one a table, a Huber fit with bootstrap, and least squares
with the delta method. Scores are averages within a setting, then within a source, then over
sources. *joint* is the coverage of the mean error of all forecasts of a setting. `calibration.json`
keeps everything.
"""

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from drift_reference import RESULTS as REFERENCE
from extrapolation import NEW, Setting, settings
from fitted import fitted
from scipy import optimize

from bayescale.distributions.prior import Prior
from bayescale.models.drift import Drift, beyond
from bayescale.models.thinning import at_most
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs
from bayescale.validation.forecast import Forecast, forecast, mixture

jax.config.update("jax_enable_x64", True)

RESULTS = Path(__file__).with_suffix(".json")
COMMAND = "python tests/benchmarks/calibration.py"
LEVELS = (0.5, 0.8, 0.9, 0.95)
BEFORE = Drift.in_noise(Prior.around(1.0, 0.5))
"""The drift of version 0.1."""

RESAMPLES, POINTS = 200, 40
"""Of the bootstrap; runs of a setting on which the CRPS is computed."""

Way = Callable[[Setting, dict[str, Any]], Forecast]


def drifted(post: Posterior, drift: Drift | None) -> Posterior:
    assert post.model is not None
    return replace(post, model=replace(post.model, drift=drift))


def learnt(reference: dict[str, Any], law: str, source: str) -> Drift:
    """What the other sources teach; all where `source` is ``all``."""
    return Drift.from_dict(reference["laws"][law][source]["drift"])


def left_out(law: str) -> Way:
    def way(one: Setting, reference: dict[str, Any]) -> Forecast:
        drift = learnt(reference, law, one.source)
        return forecast(drifted(fitted(one, law), drift), one.future, force=True)

    return way


def shipped(one: Setting, reference: dict[str, Any]) -> Forecast:
    drift = learnt(reference, "share", "all")
    return forecast(drifted(fitted(one, "share"), drift), one.future, force=True)


def fixed(law: str, drift: Drift | None) -> Way:
    return lambda one, _: forecast(drifted(fitted(one, law), drift), one.future, force=True)


def mixed(one: Setting, reference: dict[str, Any]) -> Forecast:
    parts = [left_out(law)(one, reference) for law in ("share", "chinchilla")]
    return mixture(parts, np.array([0.5, 0.5]))


def slope_a_run(one: Setting, reference: dict[str, Any]) -> Forecast:
    """The default's drift with a slope of its own for every run."""
    post = fitted(one, "share")
    drift = learnt(reference, "share", one.source)
    whole = forecast(drifted(post, drift), one.future, force=True)
    without = forecast(
        drifted(post, replace(drift, scale=Prior.fixed(1e-9))), one.future, force=True
    )
    assert post.seen is not None
    logs = {name: np.log(one.future.column(name)) for name in post.sizes}
    away = beyond(post.seen, logs, post.sizes)
    rng = np.random.default_rng(0)
    assert post.model is not None
    sigma = post.model.likelihood.scale(post.noise_draws)
    slopes = np.stack(
        [drift.draw(sigma, int(s)).slope[:, 0] for s in rng.integers(1e9, size=len(away))]
    )
    return replace(whole, draws=without.draws + slopes.T * away)


def additive(theta: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Log of E + A N^-alpha + B D^-beta, by logs of E, A, B and centred log sizes."""
    e, a, b, alpha, beta = theta
    return np.logaddexp(e, np.logaddexp(a - alpha * n, b - beta * d))


def centred(past: Runs, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    n, d = (np.log(runs.column(k)) - np.log(past.column(k)).mean() for k in ("N", "D"))
    return n, d


def least(past: Runs, loss: str, start: np.ndarray | None = None, rows: Any = slice(None)) -> Any:
    n, d = (x[rows] for x in centred(past, past))
    y = np.log(past.loss)[rows]
    level = float(np.median(y))
    grid = [
        np.array([level + e, level + a, level + a, alpha, alpha])
        for e in (-0.2, -0.6)
        for a in (-1.0, -2.0)
        for alpha in (0.2, 0.5)
    ]
    found = [
        optimize.least_squares(
            lambda t: additive(t, n, d) - y,
            at,
            loss=loss,
            f_scale=1e-3 if loss == "huber" else 1.0,
            bounds=([-20, -20, -20, 0, 0], [3, 5, 5, 3, 3]),
        )
        for at in ([start] if start is not None else grid)
    ]
    return min(found, key=lambda f: f.cost)


def huber_bootstrap(one: Setting, _: dict[str, Any]) -> Forecast:
    rng, past = np.random.default_rng(0), one.past
    best = least(past, "huber").x
    left = np.log(past.loss) - additive(best, *centred(past, past))
    ahead = centred(past, one.future)
    draws = []
    for _ in range(RESAMPLES):
        rows = rng.integers(len(past), size=len(past))
        theta = least(past, "huber", best, rows).x
        draws.append(additive(theta, *ahead) + rng.choice(left, len(one.future)))
    return Forecast(np.log(one.future.loss), np.array(draws), np.full(len(one.future), np.nan))


def delta_method(one: Setting, _: dict[str, Any]) -> Forecast:
    rng, past = np.random.default_rng(0), one.past
    best = least(past, "linear")
    variance = 2 * best.cost / max(len(past) - 5, 1)
    covariance = variance * np.linalg.pinv(best.jac.T @ best.jac)
    ahead = centred(past, one.future)
    steps = 1e-5 * np.eye(5)
    slope = np.stack(
        [(additive(best.x + s, *ahead) - additive(best.x - s, *ahead)) / 2e-5 for s in steps]
    )
    spread = slope.T @ covariance @ slope + variance * np.eye(len(one.future))
    draws = rng.multivariate_normal(additive(best.x, *ahead), spread, 4000, method="svd")
    return Forecast(np.log(one.future.loss), draws, np.full(len(one.future), np.nan))


WAYS: dict[str, Way] = {
    "default": left_out("share"),
    "default as shipped": shipped,
    "chinchilla": left_out("chinchilla"),
    "equal mixture of both": mixed,
    "share, 0.1 drift": fixed("share", BEFORE),
    "chinchilla, 0.1 drift (its default)": fixed("chinchilla", BEFORE),
    "share, law exact": fixed("share", None),
    "one slope a run": slope_a_run,
    "Huber + bootstrap": huber_bootstrap,
    "NLS + delta": delta_method,
}


def scored(one: Forecast) -> dict[str, float]:
    with np.errstate(all="ignore"):
        draws = np.clip(one.draws, -20, 20)
        y = one.log_loss
        out = {f"coverage_{level * 100:g}": one.coverage(level) for level in LEVELS}
        out["width_95"] = one.width(0.95)
        out["interval_score_95"] = one.interval_score(0.95)
        out["crps"] = float(np.mean([crps(draws[:, i], y[i]) for i in at_most(len(y), POINTS)]))
        if np.isfinite(one.log_score):  # samples have none
            out["log_score"] = one.log_score
        out["rmse"], out["bias"] = one.rmse, float(np.mean(one.error))
        mean = draws.mean(axis=1)
        for level in LEVELS:
            low, high = np.quantile(mean, [(1 - level) / 2, (1 + level) / 2])
            out[f"joint_{level * 100:g}"] = float(low <= y.mean() <= high)
        out["energy_score"] = energy(draws, y)
    return out


def crps(draws: np.ndarray, seen: float) -> float:
    """Continuous ranked probability score of a sample (Gneiting and Raftery 2007, eq. (21))."""
    ordered = np.sort(draws)
    n = len(ordered)
    spread = np.sum((2 * np.arange(1, n + 1) - n - 1) * ordered) / n**2
    return float(np.mean(np.abs(ordered - seen)) - spread)


def energy(draws: np.ndarray, seen: np.ndarray) -> float:
    """Energy score, a run (Gneiting and Raftery 2007, eq. (22))."""
    some = draws[at_most(len(draws), 400)]
    half = len(some) // 2
    near = np.linalg.norm(some - seen, axis=1).mean()
    apart = np.linalg.norm(some[:half] - some[half : 2 * half], axis=1).mean()
    return float((near - 0.5 * apart) / np.sqrt(len(seen)))


def average(rows: dict[str, dict[str, Any]], tables: set[str] | None = None) -> dict[str, Any]:
    """Means within a source, then over sources."""
    frame = pd.DataFrame.from_dict(rows, orient="index")
    if tables is not None:
        frame = frame[frame["table"].isin(tables) | frame["source"].isin(tables)]
    numbers = frame.drop(columns="table").groupby("source").mean()
    return {name: float(f"{v:.4g}") for name, v in numbers.mean().items()}


def main() -> None:
    warnings.simplefilter("ignore")
    reference = json.loads(REFERENCE.read_text("utf-8"))
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    found: dict[str, Any] = kept.get("settings", {})
    every = list(settings())
    start = time.process_time()
    for name, way in WAYS.items():
        rows = found.setdefault(name, {})
        for one in every:
            if one.name not in rows:
                scores = {k: float(f"{v:.4g}") for k, v in scored(way(one, reference)).items()}
                rows[one.name] = {"source": one.source, "table": one.table, **scores}
        averages = {
            "all": average(rows),
            "new tables": average(rows, set(NEW)),
            "old tables": average(rows, {one.source for one in every} - set(NEW)),
        }
        kept.setdefault("averages", {})[name] = averages
        print(name, averages["all"], flush=True)
        kept |= {"command": COMMAND, "seed": 0, "settings": found}
        kept["cpu_s"] = kept.get("cpu_s", 0) + round(time.process_time() - start)
        start = time.process_time()
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    for name in kept["averages"]:
        one = kept["averages"][name]["all"]
        print(
            f"{name:38s} "
            + "/".join(f"{one[f'coverage_{level * 100:g}']:.2f}" for level in LEVELS)
            + f"  interval score {one['interval_score_95']:.3f}  CRPS {one['crps']:.4f}  joint "
            + "/".join(f"{one[f'joint_{level * 100:g}']:.2f}" for level in LEVELS)
        )


if __name__ == "__main__":
    main()
