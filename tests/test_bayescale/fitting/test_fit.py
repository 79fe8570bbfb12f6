"""`fit`: options, seeds, priors, refusals."""

import warnings

import numpy as np
import pytest

import bayescale as bs
from bayescale.engines import attempts
from bayescale.engines import mode as mode_module
from bayescale.errors import DiagnosticsWarning, RunsError, UsageError
from bayescale.runs.table import Runs
from theory import laws

PIVOT = {"N": 1e8, "D": 1e10, "C": 1e19, "U": 1e10, "B": 1e6, "N_v": 1e7, "N_nv": 1e8, "H": 1e10}
PIVOT |= {"S": 1e5, "t": 1e5}


def _simulated(law: str, count: int = 50, seed: int = 0) -> tuple[Runs, bs.Model]:
    names = [resource.name for resource in laws.get(law).resources]
    covariates = {r.name: r.typical for r in laws.get(law).resources if r.typical is not None}
    pivot = {n: np.sqrt(np.prod(covariates[n])) if n in covariates else PIVOT[n] for n in names}
    model = bs.Model.at(law, pivot=pivot)
    rng = np.random.default_rng(seed)
    design = {
        n: rng.uniform(*covariates[n], count)
        if n in covariates
        else PIVOT[n] * np.exp(rng.uniform(-3, 3, count))
        for n in names
    }
    runs = model.simulate(design, seed=seed, coordinates={"sigma": 0.003, "nu": 5.0}).runs
    return runs, model


HARD_FOR_LAPLACE = {
    "abnar",
    "broken_2",
    "crossover",
    "farseer",
    "odds_power",
    "ridgeless",
    "transfer",
}
"""Laws whose posterior from 50 runs is no bent Gaussian; `fit` says so, and NUTS is asked."""


EVERYDAY = (
    "abnar",
    "chinchilla",
    "crossover",
    "kaplan",
    "kaplan_steps",
    "odds_power",
    "power",
    "power_C",
    "power_D",
    "ridgeless",
    "share",
    "share_free",
)
"""Laws of every kind, whose fits the default suite makes; those of the others are slow tests."""


@pytest.mark.parametrize(
    "law",
    [n if n in EVERYDAY else pytest.param(n, marks=pytest.mark.slow) for n in laws.catalogue()],
)
def test_every_law_of_the_catalogue_fits(law: str) -> None:
    runs, _ = _simulated(law)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        post = bs.fit(runs, law=law, engine="laplace", seed=0)
    # A pole makes a mode between every two runs, and the dynamics bend: both are to be refused.
    if law in ("ridgeless", "dmft"):
        assert post.diagnose().status == "refuse"
        return
    if law not in HARD_FOR_LAPLACE:
        assert post.diagnose().status != "refuse", post.diagnose()
    _fits(post, runs)


@pytest.mark.slow
@pytest.mark.parametrize("law", sorted(HARD_FOR_LAPLACE))
def test_laws_that_are_hard_for_laplace_fit_with_nuts(law: str) -> None:
    runs, _ = _simulated(law)
    post = bs.fit(runs, law=law, seed=0)
    assert post.diagnose().status != "refuse", post.diagnose()
    _fits(post, runs)


def _fits(post: bs.Posterior, runs: Runs) -> None:
    sizes = {r.name: runs.column(r.name) for r in post.law.resources}
    fitted = np.median(post.predict(**sizes, force=True).draws, axis=0)
    # The noise has scale 0.003; a law that does not fit would leave residuals of its own size.
    assert np.median(np.abs(np.log(runs.loss) - np.log(fitted))) < 0.006


@pytest.mark.parametrize("likelihood", ["studentt", "normal"])
def test_both_likelihoods_fit_with_nuts(likelihood: str) -> None:
    runs, _ = _simulated("power_D")
    post = bs.fit(runs, law="power_D", likelihood=likelihood, seed=1)
    assert post.diagnose().status == "ok"
    assert set(post.noise_names) <= set(post.summary().index)


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    runs, model = _simulated("power_D")
    first, again, other = (
        bs.fit(runs, model, seed=seed, draws=1000).draws["alpha"].to_numpy() for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_fixed_coordinate_stays_where_it_is() -> None:
    runs, _ = _simulated("share")
    # The runs are of another q, which the residuals show.
    post = bs.fit(runs, law="share", engine="laplace", prior={"q": 1.0}, seed=0)
    assert post.diagnosis.notes[0].startswith("the residuals follow log N x log D")
    assert np.all(post.draws["q"].to_numpy() == 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        additive = bs.fit(runs, law="chinchilla", engine="laplace", seed=0)
    # With q = 1 the share law is the additive law, with the same priors on what is left.
    ours, theirs = post.summary().loc["alpha"], additive.summary().loc["alpha"]
    assert abs(ours["mean"] - theirs["mean"]) < 0.1 * theirs["sd"]


def test_a_tight_prior_wins_over_few_data() -> None:
    runs, _ = _simulated("power_D", count=12)
    tight = bs.Prior.around(0.5, 0.001)
    with pytest.warns(DiagnosticsWarning, match="own larger runs"):  # the prior is wrong
        post = bs.fit(runs, law="power_D", engine="laplace", prior={"alpha": tight}, seed=0)
    assert post.summary().loc["alpha", "mean"] == pytest.approx(0.5, rel=0.005)


def test_a_data_frame_is_read_on_the_way() -> None:
    runs, _ = _simulated("power_D")
    post = bs.fit(runs.table[["D", "loss"]], law="power_D", engine="laplace")
    assert post.record["n_runs"] == 50


def test_a_short_run_is_refused_loudly() -> None:
    runs, model = _simulated("power_D")
    with pytest.warns(DiagnosticsWarning, match="refuse.*too few effective draws"):
        post = bs.fit(runs, model, draws=30, seed=0)
    assert post.diagnose().status == "refuse"


def test_progress_is_told_of_every_stage() -> None:
    runs, model = _simulated("power_D")
    stages: list[str] = []
    bs.fit(runs, model, engine="numpyro", draws=400, progress=stages.append)
    assert stages[0] == "looking for the posterior mode"
    assert any("warming up 4 chains" in stage for stage in stages)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"law": "chinchila"}, "Did you mean 'chinchilla'"),
        ({"engine": "numpyr"}, r"no engine called 'numpyr'\. Did you mean 'numpyro'"),
        ({"likelihood": "student"}, r"no likelihood called 'student'\. Did you mean 'studentt'"),
        ({"prior": {"alpa": 0.3}}, r"no prior can be set on 'alpa'.*Did you mean 'alpha'"),
        ({"prior": {"E": 1.7, "L_pivot": 2.0, "A": 9.0}}, "'L_pivot' beside E and A, from which"),
        ({"chains": 0}, "chains must be at least 1; got 0"),
        ({"draws": 1}, "draws must be at least 4; got 1"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
    ],
)
def test_wrong_options_get_their_sentence(options: dict, sentence: str) -> None:
    runs, _ = _simulated("chinchilla")
    with pytest.raises(ValueError, match=sentence):
        bs.fit(runs, **options)


def test_a_model_brings_its_own_likelihood() -> None:
    runs, model = _simulated("power_D")
    with pytest.raises(UsageError, match=r"beside a model, which has its own \('studentt'\)"):
        bs.fit(runs, model, likelihood="normal")


def test_nuts_begins_at_the_prior_where_no_mode_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from bayescale.engines import mode

    def nothing(*args: object, **kwargs: object) -> None:
        raise mode.NoModeFound("none")

    runs, model = _simulated("power_D")
    usual = bs.fit(runs, model, seed=0).summary()
    monkeypatch.setattr(mode_module, "find_mode", nothing)
    with pytest.warns(DiagnosticsWarning, match="no posterior mode was found"):
        post = bs.fit(runs, model, seed=0)
    assert post.diagnose().status == "warn"
    # Another start, the same posterior: four standard errors at an ESS of 1000.
    shift = (post.summary()["mean"] - usual["mean"]).abs() / usual["sd"]
    assert (shift < 4 * np.sqrt(2 / 1000)).all()


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Chains whose R-hat is what a list says, one entry a question, then as it is."""
    from bayescale.diagnosis import worst_convergence

    told = [1.3, 1.3]

    def say(draws: np.ndarray) -> tuple[float, float]:
        rhat, ess = worst_convergence(draws)
        return (told.pop(0) if told else rhat), ess

    monkeypatch.setattr(attempts, "worst_convergence", say)
    monkeypatch.setattr(attempts, "MAXIMUM", 1000)
    return told


def test_chains_that_disagree_are_tried_once_more(troubled: list[float]) -> None:
    runs, model = _simulated("power_D")
    stages: list[str] = []
    post = bs.fit(runs, model, seed=0, progress=stages.append)
    assert post.record["attempts"] == 2
    assert (post.record["warmup"], post.record["target_acceptance"]) == (1500, 0.98)
    assert any("did not converge (R-hat 1.300" in s and "1500 draws" in s for s in stages)
    assert troubled == []
    assert post.diagnose().status == "ok"  # judged on the draws, not on what was said


def test_the_first_attempt_suffices_as_a_rule() -> None:
    runs, model = _simulated("power_D")
    post = bs.fit(runs, model, seed=0)
    assert (post.record["attempts"], post.record["warmup"]) == (1, 500)


def test_draws_that_diverge_are_tried_once_more_and_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any draws are more divergent than is allowed, and there are too few of them."""
    monkeypatch.setattr(attempts, "MAX_DIVERGENT", -1.0)
    runs, model = _simulated("power_D")
    stages: list[str] = []
    with pytest.warns(DiagnosticsWarning, match="refuse"):
        post = bs.fit(runs, model, draws=30, seed=0, progress=stages.append)
    assert post.record["attempts"] == 2
    assert sum("draws diverged; again with 1500 draws of warm-up" in s for s in stages) == 1
    assert "this was a second attempt" in " ".join(post.diagnose().refusals)


@pytest.mark.parametrize(("count", "wrong"), [(0, None), (2, None), (3, "draws diverged")])
def test_more_than_one_divergence_in_a_thousand_is_a_failure(count: int, wrong: str | None) -> None:
    diverging = np.zeros((4, 500), dtype=bool)
    diverging.flat[:count] = True
    positions = np.random.default_rng(0).standard_normal((4, 500, 2))
    assert attempts.failure(diverging, positions, judged=False) == wrong


def test_a_table_that_lacks_a_resource_is_named() -> None:
    runs, _ = _simulated("power_D")
    with pytest.raises(RunsError, match="N"):
        bs.fit(runs, law="chinchilla")


def test_too_few_runs_are_refused() -> None:
    runs, _ = _simulated("chinchilla")
    with pytest.raises(RunsError, match="3"):
        bs.fit(runs.select(np.arange(len(runs)) < 3), law="chinchilla")


def test_single_precision_by_default_does_not_reach_the_fit() -> None:
    """x64 is scoped inside the library, whatever the caller has set."""
    import jax

    runs, model = _simulated("power_D")
    with jax.enable_x64(False):
        outside = bs.fit(runs, model, engine="laplace", seed=0)
        assert not jax.config.jax_enable_x64
    inside = bs.fit(runs, model, engine="laplace", seed=0)
    np.testing.assert_array_equal(outside.draws["alpha"], inside.draws["alpha"])
    assert outside.draws["alpha"].dtype == np.float64


def test_a_power_law_posterior_is_the_grid_s() -> None:
    """All but two coordinates fixed: the posterior is an integral that a grid can do."""
    runs, model = _simulated("power_D", count=20)
    fixed = {"floor_fraction": 0.6, "sigma": 0.003, "nu": 5.0}
    with pytest.warns(DiagnosticsWarning, match="own larger runs"):  # the floor is not its own
        post = bs.fit(runs, model, prior=fixed, seed=0)
    from scipy import stats

    level = np.linspace(-0.01, 0.01, 161) + float(np.log(post.draws["L_pivot"].median()))
    alpha = np.linspace(-0.05, 0.05, 161) + float(np.log(post.draws["alpha"].median()))
    level, alpha = np.meshgrid(np.exp(level), np.exp(alpha), indexing="ij")
    x = (runs.column("D") / PIVOT["D"])[:, None, None]
    mean = np.log(level * (0.6 + 0.4 * x ** -alpha[None]))
    log_like = stats.t(5.0, mean, 0.003).logpdf(np.log(runs.loss)[:, None, None]).sum(axis=0)
    # Uniform steps in the logarithms: the prior density in log coordinates is a normal's.
    log_prior = stats.norm(np.log(2.7), 0.2).logpdf(np.log(level))
    log_prior = log_prior + stats.norm(np.log(0.3), 0.4).logpdf(np.log(alpha))
    weight = np.exp(log_like + log_prior - (log_like + log_prior).max())
    weight /= weight.sum()
    mean_alpha = np.sum(weight * alpha)
    sd_alpha = np.sqrt(np.sum(weight * (alpha - mean_alpha) ** 2))
    assert weight[0].sum() + weight[-1].sum() + weight[:, 0].sum() + weight[:, -1].sum() < 1e-4
    row = post.summary().loc["alpha"]
    # Four standard errors of a mean from at least 1000 effective draws.
    assert abs(row["mean"] - mean_alpha) < 4 * sd_alpha / np.sqrt(1000)
    assert row["sd"] == pytest.approx(sd_alpha, rel=0.1)
