"""Weights of laws against their closed form, and the mixture against its parts."""

import warnings

import numpy as np
import pytest
from scipy import optimize

import bayescale as bs
from bayescale.errors import DiagnosticsRefused, DiagnosticsWarning, RunsError, UsageError
from bayescale.models.model import Model
from bayescale.models.thinning import whole_shares
from bayescale.posteriors.stack import Stack
from bayescale.runs.cuts import divide, sizes
from bayescale.runs.table import Runs, read_runs
from bayescale.validation.forecast import Forecast, mixture
from bayescale.validation.stacking import EVIDENCE, PRIOR, stack, stacking_weights


@pytest.fixture(scope="module")
def pair(ladder: bs.Posterior) -> dict[str, bs.Posterior]:
    runs = ladder.observed
    assert runs is not None
    with warnings.catch_warnings():
        # A wrong q on a table of the additive law: the gate sees the trend that is left.
        warnings.simplefilter("ignore", DiagnosticsWarning)
        share = bs.fit(runs, law="share", engine="laplace", seed=1, prior={"q": 1.3})
    return {"chinchilla": ladder, "share": share}


def test_weights_maximise_the_stated_objective() -> None:
    rng = np.random.default_rng(0)
    laws = [[rng.normal(-1, 1, 7), rng.normal(0, 1, 4)] for _ in range(3)]
    weights = stacking_weights(laws)
    assert weights.sum() == pytest.approx(1.0)

    def loss(free: np.ndarray) -> float:
        w = np.exp(free - np.max(free))
        w /= w.sum()
        total = sum(
            np.mean(np.log(sum(w[k] * np.exp(laws[k][c]) for k in range(3)))) for c in range(2)
        )
        return -(EVIDENCE * total + PRIOR / 3 * np.log(w).sum())

    best = optimize.minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-10})
    want = np.exp(best.x) / np.exp(best.x).sum()
    np.testing.assert_allclose(weights, want, atol=1e-4)


def test_a_law_that_always_sees_better_gets_most_of_the_weight() -> None:
    good, bad = [np.zeros(20)] * 5, [np.full(20, -8.0)] * 5
    weights = stacking_weights([bad, good])
    # 20 observations and the prior's half for each law.
    assert weights[1] == pytest.approx((20 + 0.5) / 21, abs=1e-3)
    np.testing.assert_allclose(stacking_weights([[], []]), [0.5, 0.5])


def test_the_mixture_predicts_between_its_members(pair: dict[str, bs.Posterior]) -> None:
    both = stack(pair, by="equal")
    assert both.weights == {"chinchilla": 0.5, "share": 0.5}
    at = {"N": [1e8, 1e9], "D": [1e10, 1e11]}
    parts = [post.predict(**at).draws for post in pair.values()]
    got = both.predict(**at)
    assert got.draws.shape == parts[0].shape
    want = np.mean([np.mean(part, axis=0) for part in parts], axis=0)
    np.testing.assert_allclose(got.draws.mean(axis=0), want, rtol=1e-3)
    only = Stack(pair, {"chinchilla": 1.0, "share": 0.0}, both.scores, "equal")
    np.testing.assert_array_equal(np.sort(only.predict(**at).draws[:, 0]), np.sort(parts[0][:, 0]))


def test_the_form_reaches_the_plan(pair: dict[str, bs.Posterior]) -> None:
    both = stack(pair, by="equal")
    plans = [bs.plan(post, compute=[1e22, 1e24]) for post in pair.values()]
    mixed = bs.plan(both, compute=[1e22, 1e24])
    logs = [np.log(p.resources["N"][:, 1]) for p in plans]
    # The variance of a mixture: mean of variances plus variance of means; half the draws of each
    # enter, so its Monte Carlo error is 3%.
    want = np.mean([x.var() for x in logs]) + np.var([x.mean() for x in logs])
    assert np.log(mixed.resources["N"][:, 1]).var() == pytest.approx(want, rel=0.1)
    assert set(mixed.summary().loc[1e24].index) == {"N", "D", "D/N", "loss"}
    spent = 6 * mixed.recommended["N"] * mixed.recommended["D"]
    np.testing.assert_allclose(spent, [1e22, 1e24])
    assert mixed.recommended["loss"].is_monotonic_decreasing
    assert set(mixed.convergence.index.get_level_values("law")) == set(pair)
    assert mixed.to_dict()["trusted"]


def test_a_refused_member_stops_the_stack_only_where_it_carries_weight(
    pair: dict[str, bs.Posterior], refused: bs.Posterior
) -> None:
    members = {**pair, "chinchilla": refused}
    scores = stack(pair, by="equal").scores
    heavy = Stack(members, {"chinchilla": 0.5, "share": 0.5}, scores, "equal")
    with pytest.raises(DiagnosticsRefused, match="chinchilla: the Laplace approximation"):
        heavy.predict(N=1e9, D=1e10)
    assert not heavy.predict(N=1e9, D=1e10, force=True).trusted
    with pytest.raises(DiagnosticsRefused, match="chinchilla: "):
        bs.plan(heavy, compute=1e22)
    light = Stack(members, {"chinchilla": 0.0, "share": 1.0}, scores, "equal")
    assert light.predict(N=1e9, D=1e10).trusted
    assert "share 1.00" in repr(light)


def test_weights_by_leave_one_out_are_those_of_compare(pair: dict[str, bs.Posterior]) -> None:
    table = bs.compare(pair, by="loo")
    both = stack(pair, by="loo")
    for name in pair:
        assert both.weights[name] == pytest.approx(table.loc[name, "weight"])
    assert list(both.summary()["weight"]) == list(both.weights.values())


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_shares_are_whole_and_add_up(count: int) -> None:
    weights = np.array([0.2, 0.5, 0.3])
    shares = whole_shares(weights, count)
    assert sum(shares) == count
    assert np.all(np.abs(np.array(shares) - count * weights) <= 1)


def test_a_mixture_of_forecasts_has_the_mixed_density() -> None:
    rng = np.random.default_rng(0)
    seen = np.array([0.1, -0.2])
    parts = [Forecast(seen, rng.normal(m, 1, (500, 2)), np.array([-1.0, -2.0]) - m) for m in (0, 3)]
    mixed = mixture(parts, np.array([0.25, 0.75]))
    want = np.log(0.25 * np.exp([-1.0, -2.0]) + 0.75 * np.exp([-4.0, -5.0]))
    np.testing.assert_allclose(mixed.log_density, want)
    assert mixed.draws.mean() == pytest.approx(0.75 * 3, abs=0.15)
    single = mixture(parts, np.array([1.0, 0.0]))
    np.testing.assert_allclose(single.log_density, parts[0].log_density)


def test_the_interval_score_is_that_of_gneiting_and_raftery() -> None:
    draws = np.repeat(np.linspace(0, 1, 101)[:, None], 3, axis=1)
    one = Forecast(np.array([0.5, 1.2, -0.1]), draws, np.zeros(3))
    # The central 90% interval is [0.05, 0.95]; misses cost 20 times their distance.
    assert one.interval_score(0.9) == pytest.approx(0.9 + 20 * (0.25 + 0.15) / 3)
    assert one.coverage(0.9) == pytest.approx(1 / 3)
    assert one.width(0.5) == pytest.approx(0.5)


# --- dividing a table


def table(rows: int = 20, **more) -> Runs:
    import pandas as pd

    n = 10.0 ** np.linspace(6, 9, rows)
    return read_runs(pd.DataFrame({"N": n, "D": 20 * n, "loss": 2 + n**-0.1, **more}))


def test_the_future_is_what_costs_more() -> None:
    runs = table()
    cuts = divide(runs, None, 5)
    assert len(cuts) == 5
    for cut in cuts:
        assert sizes(runs)[cut.past].max() < cut.at <= sizes(runs)[cut.future].min()
        assert np.all(cut.past ^ cut.future)
        assert cut.reach == pytest.approx(sizes(runs).max() / sizes(runs)[cut.past].max())


@pytest.mark.filterwarnings("ignore::bayescale.errors.RunsWarning")
def test_rows_of_one_run_stay_together() -> None:
    runs = table(20, run=[f"r{i % 5}" for i in range(20)])
    for cut in divide(runs, None, 3):
        by_run = {name: set(cut.past[runs.column("run") == name]) for name in runs.column("run")}
        assert all(len(sides) == 1 for sides in by_run.values())


def test_cuts_that_leave_too_little_are_refused() -> None:
    with pytest.raises(RunsError, match=r"the cut at 1e\+30 leaves 20 runs below and 0 above"):
        divide(table(), [1e30], 5)
    with pytest.raises(RunsError, match=r"20 runs are too few to leave the future out"):
        divide(table(), None, 30)


def test_bad_requests_are_refused(pair: dict[str, bs.Posterior], ladder: bs.Posterior) -> None:
    with pytest.raises(UsageError, match=r"^no way to weigh laws called 'lof'"):
        stack(pair, by="lof")
    with pytest.raises(UsageError, match=r"comparing takes two or more"):
        stack({"one": ladder})
    other = Model.at("power", pivot={"N": 1e8}).simulate({"N": np.geomspace(1e7, 5e9, 12)}, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        post = bs.fit(other.runs, law="power", engine="laplace", prior={"nu": 4.0, "sigma": 0.01})
    with pytest.raises(UsageError, match="fitted to different tables"):
        stack({"a": ladder, "b": post})
