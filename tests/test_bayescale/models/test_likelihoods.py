"""Noise models as data: names, options, priors, and what they read of a table."""

import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale.distributions.families import FAMILIES
from bayescale.distributions.prior import Prior
from bayescale.errors import RunsError, RunsWarning, UsageError
from bayescale.models import likelihoods
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs, read_runs

PIVOT = {"N": 1e8, "D": 5e9}
every = pytest.mark.parametrize("name", LIKELIHOODS)

WITH_OPTIONS = {
    "studentt": "studentt",
    "normal": "normal",
    "heteroscedastic": "heteroscedastic(over=N, at=2e8)",
    "measured": "measured(column=error)",
    "contaminated": "contaminated",
    "gross_errors": "gross_errors",
    "rounded": "rounded(step=0.05)",
    "replicates": "replicates(by=N+D)",
    "shared": "shared(column=corpus)",
    "curves": "curves(along=step, run=model)",
    "smooth_curves": "smooth_curves(along=t, run=model, over=N+D, size=1e17, time=100)",
}
"""One text a likelihood, with every option it takes but the ends of an interval."""


def table(**changed) -> pd.DataFrame:
    columns = {
        "N": [1e7, 1e7, 1e8, 1e8],
        "D": [1e9, 2e9, 1e9, 2e9],
        "loss": [3.5, 3.4, 3.1, 3.0],
        "run": ["a", "a", "b", "b"],
        "data_order": ["x", "y", "x", "y"],
        "loss_se": [0.01, 0.0, 0.02, 0.03],
    }
    return pd.DataFrame(columns | changed)


def runs(**changed) -> Runs:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # of rows that belong to one run
        return read_runs(table(**changed))


# --- the registry


def test_the_registry_holds_every_likelihood_under_its_name():
    assert list(LIKELIHOODS) == sorted(WITH_OPTIONS)
    assert all(kind.name == name for name, kind in LIKELIHOODS.items())


@every
def test_a_likelihood_is_found_by_name_and_passed_through(name):
    found = likelihoods.get(name)
    assert isinstance(found, AbstractLikelihood)
    assert found == LIKELIHOODS[name]()
    assert likelihoods.get(found) is found


@every
def test_options_travel_as_text_and_as_plain_data(name):
    found = likelihoods.get(WITH_OPTIONS[name])
    takes_options = len(found.to_dict()) > 1
    assert (found != LIKELIHOODS[name]()) == takes_options
    data = json.loads(json.dumps(found.to_dict()))
    assert data.pop("name") == name
    assert likelihoods.make(name, data) == found


def test_options_of_a_text_are_read_as_what_they_are():
    assert likelihoods.get(" rounded ( step = 1e-3 ) ").to_dict()["step"] == 0.001
    assert likelihoods.get("replicates(by=N+D+width)").to_dict()["by"] == ("N", "D", "width")
    assert likelihoods.get("rounded(low=lo, high=hi)").to_dict() == {
        "name": "rounded",
        "step": 0.01,
        "low": "lo",
        "high": "hi",
    }
    assert likelihoods.get("studentt()") == likelihoods.get("studentt")


SENTENCES = {
    "student": "no likelihood called 'student'. Did you mean 'studentt'? Known: ",
    "rounded(step)": "'step' in 'rounded(step)' is not an option; write option=value, as in "
    "'rounded(step=0.01)'.",
    "rounded(stp=0.1)": "likelihood 'rounded' has no option 'stp'; it takes step, low, high.",
    "normal(sigma=0.1)": "likelihood 'normal' has no option 'sigma'; it takes none.",
    "rounded(step=small)": "option 'step' of likelihood 'rounded' takes a number; got 'small'.",
    "rounded(step=0)": "likelihood 'rounded' takes step=, a positive number to whose multiples the "
    "losses were rounded, or both low= and high=, columns with the ends of the interval; got "
    "step=0.0, low=None, high=None.",
    "rounded(low=lo)": "likelihood 'rounded' takes step=, a positive number to whose multiples the "
    "losses were rounded, or both low= and high=, columns with the ends of the interval; got "
    "step=0.01, low=lo, high=None.",
    "heteroscedastic(at=-1)": "likelihood 'heteroscedastic' takes at=, the positive size where "
    "sigma is meant; got -1.0.",
    "smooth_curves(time=0)": "likelihood 'smooth_curves' takes time=, the positive time where "
    "sigma is meant; got 0.0.",
    "rounded(step=0.1": "no likelihood called 'rounded(step=0.1'. ",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_what_is_no_likelihood_gets_its_sentence(text):
    with pytest.raises(UsageError) as caught:
        likelihoods.get(text)
    assert str(caught.value).startswith(SENTENCES[text])


def test_noise_over_a_size_that_the_law_does_not_know_is_refused():
    with pytest.raises(UsageError) as caught:
        Model.at("power_D", pivot={"D": 1e9}, likelihood="heteroscedastic")
    assert str(caught.value) == (
        "the noise is to vary over 'C', but the law depends on D; name one of these, as in "
        "'heteroscedastic(over=D)'."
    )
    assert Model.at("power_D", pivot={"D": 1e9}, likelihood="heteroscedastic(over=D)")
    kind = likelihoods.get("heteroscedastic")
    with pytest.raises(UsageError, match=r"without a pivot needs at=, the size R_0\.$"):
        kind.noise(np.zeros(1), {"sigma": 1.0, "nu": 4.0, "trend": 0.0}, Observations({}), np)


def test_smooth_curves_along_what_the_law_does_not_know_are_refused():
    for text, what in {
        "smooth_curves(along=step)": "along 'step' and varies over 'N+D', but the law depends on "
        "N, D, not on step",
        "smooth_curves(over=N+t)": "along 'D' and varies over 'N+t', but the law depends on N, D, "
        "not on t",
    }.items():
        with pytest.raises(UsageError) as caught:
            Model.at("chinchilla", pivot=PIVOT, likelihood=text)
        assert str(caught.value) == (
            f"noise 'smooth_curves' runs {what}; name one of these, as in 'smooth_curves(along=D)'."
        )
    with pytest.raises(
        UsageError, match=r"^noise 'smooth_curves' without a pivot needs over=, size="
    ):
        likelihoods.get("smooth_curves").noise(np.zeros(1), {}, Observations({}), np)


def test_what_the_table_or_the_law_gives_is_filled_in():
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="smooth_curves")
    options = model.likelihood.to_dict()
    assert options["over"] == ("N",)
    assert (options["size"], options["time"]) == pytest.approx((PIVOT["N"], PIVOT["D"]), rel=1e-12)
    assert "trend" not in Model.at("power_D", pivot=PIVOT, likelihood="smooth_curves").priors.table
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="heteroscedastic")
    at = model.likelihood.to_dict()["at"]
    assert at == pytest.approx(6 * PIVOT["N"] * PIVOT["D"], rel=1e-12)
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="replicates")
    assert model.likelihood.to_dict()["by"] == ("N", "D")


# --- priors


@every
def test_priors_are_proper_named_and_fixable(name):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=name)
    noise = model.likelihood.priors()
    assert "sigma" in noise
    assert list(model.priors.table)[-len(noise) :] == list(noise)
    for parameter, prior in noise.items():
        frozen = prior.scipy()
        assert frozen.cdf(prior.bounds[1]) - frozen.cdf(prior.bounds[0]) == pytest.approx(1.0)
        middle = float(frozen.median())
        fixed = Model.at("chinchilla", pivot=PIVOT, likelihood=name, prior={parameter: middle})
        assert fixed.fixed == {parameter: middle}


def test_the_default_noise_priors_are_the_documented_ones():
    # Juarez and Steel 2010 for nu.
    sigma, nu = Prior.around(0.01, 1.0), Prior("Gamma", alpha=2, beta=0.1)
    effect = Prior.around(0.01, 0.7)
    shared = {"sigma": sigma, "nu": nu, "effect": effect}
    assert {name: likelihoods.get(name).priors() for name in LIKELIHOODS} == {
        "studentt": {"sigma": sigma, "nu": nu},
        "normal": {"sigma": sigma},
        "heteroscedastic": {
            "sigma": sigma,
            "nu": nu,
            "trend": Prior("Normal", mu=0, sigma=0.25),
        },
        "measured": {"sigma": sigma, "nu": nu},
        "contaminated": {
            "sigma": sigma,
            "fraction": Prior("Beta", alpha=1, beta=4),
            "excess": Prior.around(0.05, 1.0),
        },
        "gross_errors": {
            "sigma": sigma,
            "nu": nu,
            "fraction": Prior("Beta", alpha=1, beta=19),
            "gross": Prior.around(0.3, 1.0),
        },
        "rounded": {"sigma": sigma},
        "replicates": shared,
        "shared": shared,
        "curves": shared | {"span": Prior.around(0.3, 1.0)},
        "smooth_curves": shared
        | {
            "span": Prior.around(1.0, 1.0),
            "rough": Prior.around(0.1, 1.0),
            "trend": Prior("Normal", mu=0, sigma=0.5),
            "tilt": Prior("Normal", mu=0, sigma=0.5),
            "bend": Prior("Normal", mu=0, sigma=0.1),
        },
    }


# --- what it makes of rows


@every
def test_the_noise_is_a_known_family_with_all_its_arguments(name):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=name)
    rows = model.observe(runs())
    values = {parameter: 0.5 for parameter in model.likelihood.priors()}
    for given in (rows, Observations(rows.log_resources)):
        noise = model.likelihood.noise(np.zeros(4), values, given, np)
        assert set(noise.arguments) == set(FAMILIES[noise.family].arguments)


def test_each_noise_is_its_distribution_around_the_log_loss():
    log_loss, at = np.log([2.0, 3.0]), np.log([2.1, 2.8])
    rows = Observations({}, at)
    cases = [
        ("studentt", {"sigma": 0.02, "nu": 4.0}, stats.t(4.0, log_loss, 0.02)),
        ("normal", {"sigma": 0.02}, stats.norm(log_loss, 0.02)),
    ]
    for name, values, expected in cases:
        noise = likelihoods.get(name).noise(log_loss, values, rows, np)
        got = FAMILIES[noise.family].log_density(at, np, **noise.arguments)
        np.testing.assert_allclose(got, expected.logpdf(at), rtol=1e-12)  # a dozen roundings


# --- what it reads of the table

RANGE = "'loss_se' must be finite and not negative; "
HOLD = "; it must not be negative and must hold the loss, "
IN_THE_TABLE = [
    ("measured", {"loss_se": [0.1, -1.0, 0.1, 0.1]}, RANGE + "row 2 has -1."),
    ("measured", {"loss_se": [0.1, 0.1, np.inf, 0.1]}, RANGE + "row 3 has inf."),
    (
        "measured",
        {"loss_se": [0.1, np.nan, 0.1, 0.1]},
        "'loss_se' must hold numbers; row 2 has none.",
    ),
    ("measured", {"loss_se": list("abcd")}, "'loss_se' must hold numbers; it is text."),
    (
        "shared",
        {"data_order": ["x", None, "x", "y"]},
        "'data_order' says which rows belong together, but row 2 has no entry; give it one of its "
        "own if it shares nothing.",
    ),
    (
        "curves",
        {"D": [1e9, 2e9, 3e9, 3e9]},
        "run 'b' has two rows with the same D (row 4); keep one, or name in along= what tells its "
        "checkpoints apart.",
    ),
    (
        "curves(along=step)",
        {"step": [10.0, 0.0, 10.0, 20.0]},
        "'step' must be finite and positive; row 2 has 0.",
    ),
    (
        "rounded(step=6.5)",
        {},
        f"the interval of row 3 runs from -0.15 to 6.35{HOLD}3.1.",
    ),
    (
        "rounded(low=lo, high=hi)",
        {"lo": [3.0] * 4, "hi": [3.5, 3.5, 3.05, 3.5]},
        f"the interval of row 3 runs from 3 to 3.05{HOLD}3.1.",
    ),
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("measured(column=se)", "se"),
        ("curves(along=step)", "step"),
        ("shared(column=seed)", "seed"),
    ],
)
def test_a_column_that_is_absent_is_named(text, name):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=text)
    with pytest.raises(RunsError, match=f"^table: no column '{name}'.* Columns found: "):
        model.observe(runs())


@pytest.mark.parametrize(("text", "changed", "sentence"), IN_THE_TABLE)
def test_a_row_that_cannot_be_used_is_named(text, changed, sentence):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=text)
    with pytest.raises(RunsError) as caught:
        model.observe(runs(**changed))
    message = str(caught.value)
    assert message.startswith("table: ")
    assert message.endswith(sentence)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("measured(column=error)", "error"),
        ("shared(column=corpus)", "corpus"),
        ("replicates(by=N+width)", "width"),
        ("curves(along=step)", "step"),
        ("curves(run=model)", "model"),
        ("rounded(low=lo, high=hi)", "lo"),
    ],
)
def test_a_column_that_the_table_lacks_is_named(text, column):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=text)
    with pytest.raises(RunsError, match=f"'?{column}'?") as caught:
        model.observe(runs())
    assert str(caught.value).count("\n") == 0


def test_open_ends_of_an_interval_are_those_of_a_censored_loss():
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="rounded(low=lo, high=hi)")
    rows = model.observe(runs(lo=[0.0, 3.4, 3.1, 3.0], hi=[3.5, np.inf, 3.2, 3.1]))
    mean, sigma = np.log([3.3, 3.6, 3.15, 3.0]), 0.02
    noise = model.likelihood.noise(mean, {"sigma": sigma}, rows, np)
    got = FAMILIES["Interval"].log_density(rows.log_loss, np, **noise.arguments)
    normal = stats.norm(mean, sigma)
    ends = np.log([[1e-300, 3.4, 3.1, 3.0], [3.5, 1e300, 3.2, 3.1]])
    want = np.log(normal.cdf(ends[1]) - normal.cdf(ends[0]))
    np.testing.assert_allclose(got, want, rtol=1e-9)  # SciPy's differences lose digits


# --- outliers


def test_the_outlier_probability_of_student_t_is_that_of_its_own_scale():
    """Against a simulation of error and scale, binned around the error."""
    rng = np.random.default_rng(0)
    nu, count = 4.0, 4_000_000
    precision = rng.gamma(nu / 2, 2 / nu, count)
    error = rng.standard_normal(count) / np.sqrt(precision)
    kind = likelihoods.get("studentt")
    middle = np.median(np.abs(error)) / stats.norm.ppf(0.75)  # 1.098
    outlying = 1 / precision > (3 * middle) ** 2
    for at in (0.5, 3.0, 6.0):
        near = np.abs(np.abs(error) - at) < 0.05
        noise = Noise("StudentT", {"nu": np.array([nu]), "mu": np.zeros(1), "sigma": np.ones(1)})
        got = kind.outlier_probability(noise, np.array([at]))[0]
        want = np.mean(outlying[near])
        # Five binomial errors, and the width of the bin at 6, where the slope is 0.13 a scale.
        assert got == pytest.approx(want, abs=5 * math.sqrt(want / near.sum()) + 0.003)
    expected = kind.expected_outliers(noise)
    assert expected == pytest.approx(np.mean(outlying), rel=0.02)


def test_the_outlier_probability_of_a_contaminated_run_is_bayes_rule():
    arguments = {"mu": 0.0, "sigma": 0.01, "fraction": 0.2, "excess": 0.05}
    kind, at = likelihoods.get("contaminated"), np.array([-0.02, 0.0, 0.03, 0.2, 3.0])
    clean = 0.8 * stats.norm(0, 0.01).pdf(at)
    tail = 0.2 * stats.exponnorm(5.0, 0, 0.01).pdf(at)
    got = kind.outlier_probability(Noise("Contaminated", arguments), at)
    np.testing.assert_allclose(got, tail / (clean + tail), rtol=1e-10)
    assert kind.expected_outliers(Noise("Contaminated", arguments)) == 0.2


def test_the_outlier_probability_with_gross_errors_is_that_of_the_scale_of_a_run():
    """Against a simulation of errors, gross ones and the scale of each, binned around the error."""
    rng = np.random.default_rng(0)
    nu, fraction, count = 4.0, 0.1, 4_000_000
    kind = likelihoods.get("gross_errors")
    for gross in (2.0, 6.0):  # of three scales of the middle half, the former is no outlier
        bad = rng.random(count) < fraction
        scale = np.where(bad, np.hypot(1, gross), 1 / np.sqrt(rng.gamma(nu / 2, 2 / nu, count)))
        error = scale * rng.standard_normal(count)
        outlying = scale > 3 * stats.t(nu).ppf(0.75) / stats.norm.ppf(0.75)
        arguments = {"nu": nu, "mu": 0.0, "sigma": 1.0, "fraction": fraction, "gross": gross}
        noise = Noise("GrossErrors", {name: np.array([value]) for name, value in arguments.items()})
        for at in (0.5, 3.0, 6.0):
            near = np.abs(np.abs(error) - at) < 0.05
            got = kind.outlier_probability(noise, np.array([at]))[0]
            want = np.mean(outlying[near])
            # Five binomial errors, and the width of the bin.
            assert got == pytest.approx(want, abs=5 * math.sqrt(want / near.sum()) + 0.003)
        assert kind.expected_outliers(noise) == pytest.approx(np.mean(outlying), rel=0.02)


def test_the_outlier_probability_of_a_rounded_loss_is_that_of_its_interval():
    arguments = {"mu": 0.0, "sigma": 0.01, "below": 0.01, "above": 0.02}
    kind, at = likelihoods.get("rounded"), np.array([-0.5, 0.0, 0.025, 0.5])
    got = kind.outlier_probability(Noise("Interval", arguments), at)
    normal = stats.norm(0, 0.01)
    inside = normal.cdf([0.02, 0.03]) - normal.cdf([-0.01, 0.015])
    whole = normal.cdf([0.02, 0.045]) - normal.cdf([-0.01, 0.015])
    np.testing.assert_allclose(got, [1.0, *(1 - inside / whole), 1.0], rtol=1e-9, atol=1e-12)
    # A run of which nothing is known but its law: the tail of a Normal.
    plain = Noise("Normal", {"mu": 0.0, "sigma": 0.01})
    assert kind.expected_outliers(plain) == pytest.approx(2 * stats.norm.sf(3), rel=1e-12)
    normal_kind = likelihoods.get("normal")
    np.testing.assert_array_equal(
        normal_kind.outlier_probability(plain, np.array([0.029, -0.031])), [0.0, 1.0]
    )
