"""Priors as data, their refusals, and what the defaults say before any run."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from bayescale.distributions.families import FAMILIES
from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.formulas import parse_law
from bayescale.models.likelihoods.studentt import StudentT
from bayescale.models.model import Model
from bayescale.models.priors import LN_VOCABULARY, Priors, coordinate_prior, default_priors
from theory import laws
from theory.declaration.chart import Coordinate, Kind
from theory.declaration.symbols import Parameter, Role

PIVOT = {"N": 1e9, "D": 2e10}

EXAMPLES = [
    Prior("Normal", mu=0.5, sigma=2.0),
    Prior("HalfNormal", sigma=1.5),
    Prior("LogNormal", mu=-1.2, sigma=0.4),
    Prior("StudentT", nu=4.0, mu=0.0, sigma=2.5),
    Prior("Beta", alpha=5, beta=3),
    Prior("Gamma", alpha=2, beta=0.1),
    Prior("InverseGamma", alpha=3, beta=2),
    Prior("Exponential", lam=0.7),
    Prior("Uniform", lower=-1, upper=4),
    Prior.fixed(0.25),
]
each = pytest.mark.parametrize("prior", EXAMPLES, ids=lambda prior: prior.family)


# --- one prior


@each
def test_a_prior_prints_as_the_call_that_makes_it(prior):
    numbers = ", ".join(f"{name}={number:g}" for name, number in prior.arguments.items())
    assert repr(prior) == f'Prior("{prior.family}", {numbers})'
    assert Prior(prior.family, **prior.arguments) == prior


@each
def test_a_prior_survives_json(prior):
    again = Prior.from_dict(json.loads(json.dumps(prior.to_dict())))
    assert again == prior
    assert hash(again) == hash(prior)
    assert again.to_dict() == prior.to_dict()


def test_priors_compare_by_family_and_numbers():
    assert len(set(EXAMPLES)) == len(EXAMPLES)
    assert Prior("Beta", alpha=5, beta=3) == Prior("Beta", beta=3.0, alpha=5.0)
    assert Prior("Beta", alpha=5, beta=3) != Prior("Beta", alpha=5, beta=3.001)
    assert Prior("Beta", alpha=5, beta=3) != Prior("Gamma", alpha=5, beta=3)
    assert Prior.fixed(1.0) != 1.0


def test_around_has_its_median_and_spread():
    frozen = Prior.around(0.3, 0.4).scipy()
    assert frozen.median() == pytest.approx(0.3, rel=1e-14)
    assert frozen.cdf(0.3 * math.exp(0.4)) == pytest.approx(stats.norm.cdf(1.0), rel=1e-12)


@each
def test_draws_follow_the_prior_and_its_seed(prior):
    first, again = (prior.sample(np.random.default_rng(3), 2000) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert prior.sample(np.random.default_rng(3)).shape == ()
    assert prior.sample(np.random.default_rng(3), (2, 3)).shape == (2, 3)
    if prior.is_fixed:
        assert np.all(first == 0.25)
    else:
        # The seed is fixed; a wrong distribution gives p below 1e-10 at 2000 draws.
        assert stats.kstest(first, prior.scipy().cdf).pvalue > 1e-3


def test_an_unknown_family_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        Prior("LogNorml", mu=0.0, sigma=1.0)
    message = str(caught.value)
    assert message.startswith("no prior family 'LogNorml'. Did you mean 'LogNormal'? Known: ")
    assert all(name in message for name in (*FAMILIES, "Fixed"))


@pytest.mark.parametrize(
    ("arguments", "given"), [({"alpha": 1.0}, "alpha"), ({}, "none"), ({"a": 1, "b": 2}, "a, b")]
)
def test_wrong_argument_names_are_refused_with_the_right_ones(arguments, given):
    with pytest.raises(UsageError) as caught:
        Prior("Beta", **arguments)
    assert str(caught.value) == f"prior 'Beta' takes alpha, beta; got {given}."


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_must_be_finite_and_positive(bad):
    with pytest.raises(UsageError) as caught:
        Prior("Normal", mu=0.0, sigma=bad)
    expected = f"'sigma' of prior 'Normal' must be finite and positive; got {bad}."
    assert str(caught.value) == expected


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_location_must_be_finite(bad):
    with pytest.raises(UsageError, match=r"^'mu' of prior 'Normal' must be finite; got"):
        Prior("Normal", mu=bad, sigma=1.0)
    with pytest.raises(UsageError, match=r"^'value' of prior 'Fixed' must be finite; got"):
        Prior.fixed(bad)


@pytest.mark.parametrize("upper", [1.0, 0.5])
def test_an_empty_interval_is_refused(upper):
    with pytest.raises(UsageError, match=rf"needs lower < upper; got 1\.0 and {upper}\.$"):
        Prior("Uniform", lower=1.0, upper=upper)


@pytest.mark.parametrize("median", [0.0, -0.3, math.nan])
def test_a_median_of_a_lognormal_must_be_positive(median):
    with pytest.raises(UsageError, match=r"^the median of a LogNormal must be positive; got"):
        Prior.around(median, 0.4)


def test_a_fixed_value_has_no_density():
    with pytest.raises(UsageError, match=r"^a fixed value has no density; ask `is_fixed` first"):
        Prior.fixed(1.0).scipy()


# --- the joint prior


def defaults(name="chinchilla", **options):
    law = laws.get(name)
    pivot = {r.name: 1e9 for r in law.resources}
    return default_priors(law, StudentT().priors(), pivot=pivot, **options)


@pytest.mark.parametrize("name", laws.catalogue())
def test_every_law_has_a_default_prior_for_every_coordinate(name):
    priors = defaults(name)
    assert set(priors.table) == {*laws.get(name).chart.names, "sigma", "nu"}
    fixed = {name for name, prior in priors.table.items() if prior.is_fixed}
    assert fixed <= {"L_0"}  # the loss of an untrained model is known


def test_the_defaults_are_the_documented_ones():
    # THEORY_LAWS.md, section 4.2.
    table = defaults("share", level=3.1).table
    assert table["L_pivot"] == Prior.around(3.1, 0.2)
    assert table["floor_fraction"] == Prior("Beta", alpha=5, beta=3)
    assert table["share_N"] == Prior("Beta", alpha=2, beta=2)
    assert table["alpha"] == table["beta"] == Prior.around(0.3, 0.4)
    assert table["q"] == Prior.around(1.3, 0.35)
    assert table["sigma"] == Prior.around(0.01, 1.0)
    assert defaults("kaplan").table["alpha_N"] == Prior.around(0.08, 0.4)
    assert defaults("kaplan").table["alpha_D"] == Prior.around(0.09, 0.4)
    assert defaults().table["L_pivot"] == Prior.around(2.7, 0.2)


def test_an_exponent_in_compute_is_that_of_two_sizes_spent_at_the_best():
    rng = np.random.default_rng(0)
    alpha, beta = defaults().table["alpha"].sample(rng, (2, 100_000))
    at_optimum = np.log(alpha * beta / (alpha + beta))  # Hoffmann et al. 2022, eq. (4)
    for law in ("power_C", parse_law("E + A*C**-alpha")):
        prior = Model.at(law, pivot={"C": 1e20}).priors.table["alpha"]
        assert prior == Prior.around(0.15, 0.4)
        assert prior.arguments["mu"] == pytest.approx(at_optimum.mean(), abs=0.05)
        # Wider, as compute is not always spent at the best.
        assert prior.arguments["sigma"] > at_optimum.std()


def test_sticks_of_several_terms_are_those_of_a_symmetric_dirichlet():
    rng = np.random.default_rng(4)
    left, shares = np.ones(20_000), []
    for after in (2, 1):
        stick = coordinate_prior(Coordinate("share", Kind.SHARE, "a test", after=after), 2.7, {})
        taken = stick.sample(rng, left.size)
        shares.append(left * taken)
        left = left * (1 - taken)
    # Means 1/3 each; a stick's sd is 0.25, so 20,000 draws give 0.002: five of those are allowed.
    assert [share.mean() for share in (*shares, left)] == pytest.approx([1 / 3] * 3, abs=0.01)


def test_a_parameter_without_a_default_says_what_to_pass():
    parameter = Parameter("E_0", Role.FLOOR, "a second floor")
    coordinate = Coordinate("E_0", Kind.PARAMETER, "a second floor", parameter=parameter)
    with pytest.raises(UsageError) as caught:
        coordinate_prior(coordinate, 2.7, {})
    expected = (
        "E_0 with role floor and domain positive has no default prior; declare it with "
        "typical=(centre, spread)."
    )
    assert str(caught.value) == expected


def test_a_number_fixes_a_coordinate_and_a_prior_replaces_one():
    priors = defaults()
    mine = Prior("Uniform", lower=0.1, upper=0.5)
    changed = priors.replace({"alpha": 0.34, "beta": mine, "nu": 4})
    assert changed.table["alpha"] == Prior.fixed(0.34)
    assert changed.table["beta"] == mine
    assert changed.table["nu"] == Prior.fixed(4.0)
    assert changed.table["L_pivot"] == priors.table["L_pivot"]
    assert list(changed.table) == list(priors.table)
    assert changed.pivot == priors.pivot
    assert priors == defaults()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"floor_fraction": 1.5}, "'floor_fraction' lives between 0 and 1, but"),
        ({"alpha": 0.0}, "'alpha' lives between 0 and inf"),
        ({"sigma": -1.0}, "'sigma' lives between 0 and inf"),
        ({"alpha": Prior("StudentT", nu=4, mu=0.3, sigma=0.1)}, "reaches from -inf to inf"),
        ({"share_N": Prior("LogNormal", mu=0, sigma=1)}, "'share_N' lives between 0 and 1"),
        ({"alpha": "0.3"}, "the prior of 'alpha' must be a Prior, or a number that fixes it"),
        ({"alpha": None}, "must be a Prior, or a number"),
    ],
)
def test_a_prior_must_stay_where_its_coordinate_lives(overrides, sentence):
    with pytest.raises(UsageError, match=sentence):
        defaults().replace(overrides)


def test_a_narrower_support_is_allowed():
    inside = Prior("Uniform", lower=0.2, upper=0.9)
    assert defaults().replace({"floor_fraction": inside}).table["floor_fraction"] == inside


def test_impossible_pivots_are_refused():
    with pytest.raises(UsageError, match="the pivot of N must be finite and positive; got -1"):
        Priors({}, {"N": -1.0}, {})
    with pytest.raises(UsageError, match="law 'chinchilla' needs a pivot for N, D; got N"):
        default_priors(laws.chinchilla, {}, pivot={"N": 1e9})


def test_a_normal_on_a_positive_quantity_is_cut_off_at_zero():
    given = defaults().replace({"alpha": Prior("Normal", mu=0.3, sigma=0.1)}).table["alpha"]
    assert given == Prior("TruncatedNormal", mu=0.3, sigma=0.1, lower=0)


def test_only_coordinates_can_be_replaced():
    with pytest.raises(UsageError) as caught:
        defaults().replace({"A": 400.0})
    message = str(caught.value)
    assert message.startswith("'A' is no coordinate of these priors.")
    assert "Known: L_pivot, floor_fraction, share_N, alpha, beta, sigma, nu." in message


def test_a_misspelt_coordinate_gets_a_guess():
    with pytest.raises(UsageError, match=r"Did you mean 'floor_fraction'\?"):
        defaults().replace({"floor_fracton": 0.5})


def test_the_pivot_is_kept_in_logarithms_too():
    priors = Priors({}, {"N": 1e9, "D": 2e10}, {})
    assert priors.log_pivot == {"N": math.log(1e9), "D": math.log(2e10)}
    assert priors == Priors({}, {"N": 1e9, "D": 2e10}, {})
    assert "log_pivot" not in repr(priors)


# --- what the defaults say before any run

DRAWS = 100_000
QUANTILE_ERROR = 0.08
"""Relative, twice the Monte Carlo error of the table: its 20,000 draws know the 95% quantile of
this heavy tail to 3 or 4%. A spread of the exponents of 0.3 or 0.5 would move it by 30%."""
TAIL_ERROR = 0.005
"""Of a probability of 0.035, four binomial standard deviations at 20,000 draws."""


def predictive(name, seed, **changes):
    """Losses on whole decades within three of the pivot in each resource, by plain formulas."""
    rng = np.random.default_rng(seed)
    table = Model.at(name, pivot=PIVOT, prior=changes).priors.table
    c = {key: prior.sample(rng, DRAWS) for key, prior in table.items()}
    x_n, x_d = rng.integers(-3, 4, (2, DRAWS)) * math.log(10)
    floor = c["L_pivot"] * c.get("floor_fraction", 0.0)
    share = c["share_N"]
    if name == "kaplan":
        alpha, outer = c["alpha_N"], c["alpha_D"]
        rate_n, rate_d = alpha / outer, 1.0
    else:
        q = c.get("q", 1.0)
        rate_n, rate_d, outer = q * c["alpha"], q * c["beta"], 1 / q
    terms = share * np.exp(-rate_n * x_n) + (1 - share) * np.exp(-rate_d * x_d)
    return floor + (c["L_pivot"] - floor) * terms**outer


@pytest.mark.parametrize(
    ("name", "documented"),
    # THEORY_LAWS.md, section 4.2: quantiles 5, 50, 95% and the probability of a loss above 20.
    [
        ("chinchilla", (1.67, 3.18, 15.5, 0.035)),
        ("share", (1.69, 3.26, 16.5, 0.036)),
        ("kaplan", (1.71, 3.28, 6.3, 0.0001)),
    ],
)
def test_the_prior_predictive_is_the_documented_one(name, documented):
    # The table there has the tighter of its two spreads of L_pivot.
    loss = predictive(name, seed=5, L_pivot=Prior.around(2.7, 0.15))
    *quantiles, above = documented
    np.testing.assert_allclose(np.quantile(loss, [0.05, 0.5, 0.95]), quantiles, rtol=QUANTILE_ERROR)
    assert np.mean(loss > 20) == pytest.approx(above, abs=TAIL_ERROR)


@pytest.mark.parametrize("name", ["chinchilla", "share", "kaplan"])
def test_the_defaults_predict_losses_of_language_models_before_any_run(name):
    loss = predictive(name, seed=6)
    assert np.mean((loss > 1e-4) & (loss < 20)) >= 0.95
    assert np.median(loss) == pytest.approx(3.2, rel=0.05)  # a little above 2.7: laws are convex


@pytest.mark.parametrize("name", laws.catalogue())
def test_the_prior_predictive_loss_is_a_loss_over_six_decades(name):
    law, rng, count = laws.get(name), np.random.default_rng(5), 20_000
    pivot = {r.name: np.sqrt(np.prod(r.typical)) if r.typical else 1e9 for r in law.resources}
    priors = default_priors(law, {}, pivot=pivot)
    coordinates = {c: prior.sample(rng, count) for c, prior in priors.table.items()}
    decades = np.log(1e3)
    logs = {
        r.name: np.log(rng.uniform(*r.typical, count))
        if r.typical
        else np.log(pivot[r.name]) + rng.uniform(-decades, decades, count)
        for r in law.resources
    }
    parameters = law.chart.to_parameters(coordinates, priors.log_pivot, np)
    loss = np.exp(law.log_loss(parameters, logs, np))
    assert np.mean((loss > 1e-4) & (loss < 20.0)) >= 0.95
    if law.scale.cap is not None:
        assert np.all(loss <= LN_VOCABULARY)
