"""Do intervals hold when larger runs are forecast from smaller ones? Ten tables, and curves.

    BAYESCALE_DATA=... python tests/benchmarks/calibration.py tables
    BAYESCALE_DATA=... python tests/benchmarks/calibration.py curves

`tables`: every law is fitted to the runs below a cut and forecasts those above, with the default
drift and without any; the stack has weights from forecasts within the runs below the cut. `curves`:
one-resource laws on 44 curves of Alabdulmohsin et al. (2022), fitted to their first part. Both
print what they find and keep it in `calibration.json`; the choice of defaults rests on it.
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.models.likelihoods.curves import Curves
from bayescale.models.model import Model
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs, read_runs
from bayescale.validation.calibrate import scores
from bayescale.validation.forecast import Forecast, forecast, mixture
from bayescale.validation.leave_future_out import divide, sizes
from bayescale.validation.stacking import stacking_weights

jax.config.update("jax_enable_x64", True)

RESULTS = Path(__file__).with_suffix(".json")
LAWS = ("chinchilla", "share")
PORIAN = (
    "rw/tuned/short/const/standard",
    "rw/base/short/chinchilla/standard",
    "owt2/tuned/short/const/standard",
)
GADRE = ("rpj/c4_val", "rw_original/c4_val")
ONE_SIZE = ("broken_1", "power_D")
DOMAINS = ("IC", "NMT", "LM", "BB")


@dataclass(frozen=True)
class Setting:
    """A table divided into what is fitted and what is forecast."""

    name: str
    past: Runs
    future: Runs


def settings() -> Iterator[Setting]:
    epoch = bs.load("epoch_chinchilla")
    for label, runs in (("245", epoch), ("240", epoch.drop_highest_losses(5))):
        compute = runs.column("C")
        for cut in (2e19, 1e20):
            # The protocol of the published comparison: forecast the 53 runs above 5e20 FLOP.
            past, future = runs.select(compute < cut), runs.select(compute > 5e20)
            yield Setting(f"epoch_chinchilla, {label} rows, C < {cut:.0e}", past, future)
    models = bs.load("gemstones")
    size = models.column("N")
    for share in (0.5, 0.75):
        cut = np.quantile(np.unique(size), share)  # whole runs: the smaller models
        yield Setting(
            f"gemstones, smallest {share:.0%} of models",
            models.select(size <= cut),
            models.select(size > cut),
        )
    tables = [("misfitting", bs.load("misfitting")), ("tiny_lm", bs.load("tiny_lm"))]
    tables += [(f"porian_isoflop {t}", bs.load("porian_isoflop", table=t)) for t in PORIAN]
    tables += [(f"gadre_overtrain {t}", bs.load("gadre_overtrain", table=t)) for t in GADRE]
    for name, runs in tables:
        order = sizes(runs)
        for share in (0.5, 0.75):
            cut = np.quantile(order, share)
            past, future = runs.select(order < cut), runs.select(order >= cut)
            yield Setting(f"{name}, smallest {share:.0%}", past, future)


def without_drift(posterior: Posterior) -> Posterior:
    assert posterior.model is not None
    return replace(posterior, model=replace(posterior.model, drift=None))


def inner_cuts(past: Runs) -> list[tuple[Runs, Runs]]:
    """Divisions of the runs below a cut, from which the stack takes its weights."""
    found = divide(past, None, 11)
    return [(past.select(cut.past), past.select(cut.future)) for cut in found]


def of_tables() -> dict[str, Any]:
    all_settings = list(settings())
    inner = [inner_cuts(setting.past) for setting in all_settings]
    pairs = [(s.past, s.future) for s in all_settings] + [p for each in inner for p in each]
    outer: dict[str, list[Forecast]] = {}
    densities: dict[str, list[list[np.ndarray]]] = {}
    rows: dict[str, dict[str, Any]] = {}
    start = time.process_time()
    for law in LAWS:
        fits = bs.fit_many([past for past, _ in pairs], law, seed=0)
        posteriors = list(fits)
        made = [forecast(p, f, force=True) for p, (_, f) in zip(posteriors, pairs, strict=True)]
        outer[law] = made[: len(all_settings)]
        rest = iter(made[len(all_settings) :])
        densities[law] = [[next(rest).log_density for _ in each] for each in inner]
        for setting, one, post in zip(all_settings, outer[law], posteriors, strict=False):
            plain = forecast(without_drift(post), setting.future, force=True)
            rows.setdefault(setting.name, {"n_past": len(setting.past)})
            rows[setting.name] |= {law: named(one), f"{law}, no drift": named(plain)}
            rows[setting.name]["n_future"] = len(setting.future)
            rows[setting.name][f"{law}, gate"] = str(post.diagnosis.status)
    for index, setting in enumerate(all_settings):
        weights = stacking_weights([densities[law][index] for law in LAWS])
        mixed = mixture([outer[law][index] for law in LAWS], weights)
        rows[setting.name]["stack"] = named(mixed) | {
            f"weight of {law}": round(float(w), 3) for law, w in zip(LAWS, weights, strict=True)
        }
    return {"settings": rows, "cpu_s": round(time.process_time() - start), "seed": 0}


def named(one: Forecast) -> dict[str, float]:
    found = scores(one) | {
        "width_95": one.width(0.95),
        "interval_score_95": one.interval_score(0.95),
    }
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def curves() -> list[tuple[str, str, Runs, Runs]]:
    from bayescale.runs.datasets import cache_folder

    table = pd.read_csv(cache_folder() / "extrapolation_curves/curves.csv.gz")
    table = table[table["domain"].isin(DOMAINS)].rename(columns={"x": "D", "y": "loss"})
    found = []
    for (domain, task), rows in table.groupby(["domain", "task"], sort=False):
        parts = [rows[rows["train"] == value][["D", "loss"]] for value in (1, 0)]
        seen, future = (
            read_runs(part.assign(run="curve"), name=str(task), on_duplicates="keep")
            for part in (parts[0].drop_duplicates("D"), parts[1])
        )
        found.append((str(domain), str(task), seen, future))
    return found


def of_curves() -> dict[str, Any]:
    tasks, out = curves(), {}
    for law in ONE_SIZE:
        # One curve is one run: its effect is not told from the level, so it is held at nothing.
        models = [
            Model.for_runs(law, past, likelihood=Curves(), prior={"effect": 1e-6})
            for _, _, past, _ in tasks
        ]
        start = time.process_time()
        fits = bs.fit_many([past for _, _, past, _ in tasks], models, seed=0)
        found = pd.DataFrame(
            [
                {"domain": domain, **named(forecast(post, future, force=True))}
                for (domain, _, _, future), post in zip(tasks, fits, strict=True)
            ]
        )
        means = found.groupby("domain", sort=False).mean()
        out[law] = {
            domain: {
                "curves": int((found["domain"] == domain).sum()),
                "rmsle": float(f"{means.loc[domain, 'rmse']:.4g}"),
                "coverage_90": float(f"{means.loc[domain, 'coverage_90']:.3g}"),
                "width_90": float(f"{means.loc[domain, 'width_90']:.3g}"),
                "log_score": float(f"{means.loc[domain, 'log_score']:.4g}"),
            }
            for domain in DOMAINS
        }
        out[law]["gate"] = fits.diagnostics["status"].value_counts().to_dict()
        out[law]["cpu_s"] = round(time.process_time() - start)
    return out


def show(found: dict[str, Any]) -> None:
    names = [*LAWS, *(f"{law}, no drift" for law in LAWS), "stack"]
    print("coverage of 95% intervals / RMSE of log loss / interval score")
    for setting, row in found["settings"].items():
        cells = "  ".join(
            f"{row[n]['coverage_95']:.2f}/{row[n]['rmse']:.3f}/{row[n]['interval_score_95']:.2f}"
            for n in names
        )
        print(f"{setting:58s} {cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("tables", "curves"))
    what = parser.parse_args().what
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = of_tables() if what == "tables" else of_curves()
    if what == "tables":
        show(result)
    else:
        print(json.dumps(result, indent=1))
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(kept | {what: result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
