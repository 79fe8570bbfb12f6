"""The same seeds give the summaries of version 0.1, to Monte Carlo error."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
sys.path.insert(0, str(REFERENCE))

import summaries  # noqa: E402  # beside the file that it made

STORED = json.loads((REFERENCE / "summaries.json").read_text("utf-8"))

ERRORS = 5.0
"""Two estimates may differ by so many of their combined Monte Carlo standard errors."""

SHARE = 0.06
"""Of what has no error of its own beside it: quantiles of plans, gains of designs."""

CHEAP = {"fit kaplan, Laplace", "fit Normal noise, Laplace", "fit a formula, Laplace"}


def _quantity(key: str) -> tuple[str, str]:
    row, _, column = key.rpartition("/")
    return row, column


def _require_close(case: str, want: dict[str, float], got: dict[str, float]) -> None:
    for key, value in want.items():
        row, column = _quantity(key)
        if column in ("r_hat", "ess_bulk", "ess_tail") or not np.isfinite(value):
            continue
        ess = min(want.get(f"{row}/ess_{part}", np.inf) for part in ("bulk", "tail"))
        sd = want.get(f"{row}/sd", np.inf)
        if np.isfinite(ess) and np.isfinite(sd):
            # The error of a 5 or 95% quantile of a Gaussian is 2.1 times that of its mean.
            error = sd * np.sqrt(2.0 / ess) * (2.2 if column.startswith("q") else 1.0)
            limit = ERRORS * error
        else:
            limit = SHARE * abs(value) + 0.02
        assert abs(got[key] - value) <= limit, f"{case}: {key} was {value:g}, is {got[key]:g}"


def _compare(names: set[str], results: dict[str, dict]) -> None:
    for name in names:
        want, got = STORED[name]["numbers"], results[name]["numbers"]
        if name == "plan a target":  # its rows are named by the budget that is found
            pairs = zip(sorted(want), sorted(got), strict=True)
            got = {one: got[other] for one, other in pairs}
        _require_close(name, want, got)


def test_what_the_laplace_engine_gave_it_gives() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = {name: make() for name, make in summaries.cases() if name in CHEAP}
    _compare(CHEAP, results)
    assert {n: results[n]["status"] for n in CHEAP} == {n: STORED[n]["status"] for n in CHEAP}


@pytest.mark.slow
def test_all_summaries_are_those_of_version_0_1() -> None:
    results = summaries.summaries()
    assert set(results) == set(STORED)
    _compare(set(STORED), results)
