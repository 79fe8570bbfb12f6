"""The table of published fits, and the prior made of it, against numbers worked out here."""

import json

import numpy as np
import pytest

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.published_priors import predictive, prior_from_published, published_fits
from bayescale.runs.datasets import cards
from theory import laws
from theory.declaration.symbols import COMPUTE_EXPONENT, Role

FITS = published_fits()
CHINCHILLA = {
    "epoch_chinchilla": (0.34781, 0.36585),
    "misfitting": (0.200196, 0.635697),
    "gemstones": (0.3004, 0.5802),
    "gadre_overtrain/rpj": (0.243, 0.273),
    "gadre_overtrain/rw_original": (0.223, 0.290),
    "muennighoff_data_constrained": (0.293, 0.438),
    "steplaw": (0.133, 0.295),
}
"""Table -> alpha and beta of the fit that stands for it."""


def test_each_fit_is_described_once() -> None:
    values = ["parameter", "value", "standard_error", "lower", "upper", "level"]
    described = FITS.drop(columns=values).drop_duplicates()
    assert described["fit"].is_unique
    assert len(described) == 54
    assert not FITS.duplicated(["fit", "parameter"]).any()
    needed = ["group", "law", "domain", "method", "source", "year", "arxiv", "seen"]
    assert FITS[needed].notna().all(axis=None)


def test_one_fit_stands_for_each_table_and_law() -> None:
    standing = FITS.loc[FITS["preferred"]].groupby(["law", "group"])["fit"].nunique()
    assert set(standing) == {1}
    assert len(standing) == len(FITS.groupby(["law", "group"]))


def test_parameters_are_those_of_the_law_and_exponents_are_positive() -> None:
    catalogue = laws.catalogue()
    known = set(FITS["law"]) & set(catalogue)
    assert known >= {"chinchilla", "share", "kaplan", "gadre", "muennighoff", "clark", "power_C"}
    for name in known:
        roles = {p.name: p.role for p in catalogue[name].parameters}
        fits = FITS.loc[FITS["law"] == name]
        assert set(fits["parameter"]) <= set(roles)
        exponents = [key for key, role in roles.items() if role is Role.EXPONENT]
        assert (fits.loc[fits["parameter"].isin(exponents), "value"] > 0).all()


def test_intervals_hold_their_estimates_and_have_a_level() -> None:
    ranged = FITS["lower"].notna()
    assert ranged.equals(FITS["upper"].notna())
    assert ranged.equals(FITS["level"].notna())
    intervals = FITS.loc[ranged]
    rounding = 0.0051  # 0.46 (0.454 to 0.455) is how approach 3 of Hoffmann et al. is printed
    assert (intervals["lower"] <= intervals["value"] + rounding).all()
    assert (intervals["value"] - rounding <= intervals["upper"]).all()


def test_the_values_are_those_of_the_other_cards() -> None:
    found = FITS.pivot(index="fit", columns="parameter", values="value")
    for name, fit, result in (
        ("epoch_chinchilla", "besiroglu", "headline"),
        ("epoch_chinchilla", "besiroglu_huber", "huber"),
        ("misfitting", "misfitting", "hoffmann"),
        ("gemstones", "gemstones_cool_end", "cool_end"),
        ("gemstones", "gemstones_hot_100b+", "hot_100b+"),
        ("muennighoff_data_constrained", "muennighoff", "fit"),
    ):
        for parameter, value in cards()[name].published[result]["parameters"].items():
            if parameter.startswith("log_"):
                parameter, value = parameter.removeprefix("log_"), np.exp(value)
            assert found.loc[fit, parameter] == pytest.approx(value, rel=1e-7)


N, D = 7e9, 1.4e11


@pytest.mark.parametrize(
    ("fit", "sizes", "loss"),
    [
        ("besiroglu", {"N": N, "D": D}, 1.81686 + 482.006 * N**-0.34781 + 2085.434 * D**-0.36585),
        (
            "misfitting",
            {"N": N, "D": D},
            np.exp(0.592076) + np.exp(3.93880) * N**-0.200196 + np.exp(13.05576) * D**-0.635697,
        ),
        ("busbridge", {"N": N, "D": D}, 1.220 + (3355 * N**-0.408 + 18186 * D**-0.431) ** 0.452),
        (
            "gadre_rpj",
            {"N": N, "D": D},
            1.837 + 166.21 * N**-0.2729 + 366.69 * 6 ** (-0.2729 / 2) * D**-0.2729,
        ),
        (
            "clark_s-base",
            {"N": N, "experts": 1.0},
            10
            ** (1.1216 - 0.0838 * np.log10(N) + (0.0104 * np.log10(N) - 0.1234) * np.log10(2.39)),
        ),
    ],
)
def test_the_fits_are_in_the_parameters_of_the_catalogue(
    fit: str, sizes: dict[str, float], loss: float
) -> None:
    rows = FITS.loc[FITS["fit"] == fit]
    values = dict(zip(rows["parameter"], rows["value"], strict=True))
    assert laws.get(rows["law"].iloc[0]).loss(**values, **sizes) == pytest.approx(loss, rel=1e-3)


def test_fits_are_found_by_law_and_domain() -> None:
    assert set(published_fits("chinchilla")["law"]) == {"chinchilla"}
    assert published_fits(laws.chinchilla).equals(published_fits("chinchilla"))
    assert published_fits(domain="synthetic regression")["law"].unique().tolist() == ["power_C"]
    assert len(published_fits("kaplan", "language")) == 4


def test_an_unknown_law_or_domain_gives_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no published fits of law 'chinchila'\. Did you mean"):
        published_fits("chinchila")
    with pytest.raises(UsageError, match=r"of domain 'vision'\. Known: language, synthetic"):
        published_fits(domain="vision")


def test_published_exponents_at_the_optimum_are_the_default_in_compute() -> None:
    fits = published_fits("chinchilla")
    fits = fits.loc[fits["preferred"] & fits["parameter"].isin(["alpha", "beta"])]
    fits = fits.pivot_table(index="group", columns="parameter", values="value").dropna()
    assert len(fits) == 7
    logs = np.log(fits["alpha"] * fits["beta"] / (fits["alpha"] + fits["beta"]))
    centre, spread = COMPUTE_EXPONENT
    assert np.log(centre) == pytest.approx(logs.mean(), abs=0.05)
    assert (np.abs(logs - np.log(centre)) < 2 * spread).all()
    assert logs.std() < spread


def test_the_prior_is_the_prediction_for_a_new_table() -> None:
    priors = prior_from_published("chinchilla")
    assert set(priors) == {"alpha", "beta"}
    errors = {"alpha": 0.01540 / 0.34781, "beta": 0.02060 / 0.36585}  # of the first table alone
    for i, name in enumerate(("alpha", "beta")):
        logs = np.log([pair[i] for pair in CHINCHILLA.values()])
        k = len(logs)
        within = errors[name] ** 2 / k
        between = np.sum((logs - logs.mean()) ** 2) / (k - 1) - within
        expected = Prior(
            "LogNormal", mu=logs.mean(), sigma=np.sqrt(between + (between + within) / k)
        )
        assert priors[name].arguments == pytest.approx(expected.arguments, rel=1e-12)
    # medians and spreads, so that a changed table is noticed
    assert np.exp(priors["alpha"].arguments["mu"]) == pytest.approx(0.239, abs=5e-4)
    assert priors["alpha"].arguments["sigma"] == pytest.approx(0.342, abs=5e-4)
    assert np.exp(priors["beta"].arguments["mu"]) == pytest.approx(0.390, abs=5e-4)
    assert priors["beta"].arguments["sigma"] == pytest.approx(0.366, abs=5e-4)
    json.dumps({name: prior.to_dict() for name, prior in priors.items()})


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("steplaw", ["steplaw"]),
        ("gadre_overtrain", ["gadre_overtrain/rpj", "gadre_overtrain/rw_original"]),
        ("gadre_overtrain/rpj/openlm", ["gadre_overtrain/rpj"]),
        ("gemstones/hot", ["gemstones"]),
    ],
)
def test_the_table_at_hand_is_left_out(name: str, groups: list[str]) -> None:
    kept = [pair[0] for group, pair in CHINCHILLA.items() if group not in groups]
    for leave_out in (name, [name], (name, groups[0])):
        mu = prior_from_published("chinchilla", leave_out=leave_out)["alpha"].arguments["mu"]
        assert mu == pytest.approx(np.mean(np.log(kept)), rel=1e-12)


def test_a_prior_needs_three_tables_and_a_law_of_the_catalogue() -> None:
    with pytest.raises(UsageError, match=r"alpha of law 'share' .* 2 tables of runs, .* 3 or more"):
        prior_from_published("share")
    left = list(CHINCHILLA)[2:]
    with pytest.raises(UsageError, match="has published fits to 2 tables"):
        prior_from_published(laws.chinchilla, leave_out=left)
    with pytest.raises(UsageError, match=r"leave_out names 'steplow'.* Did you mean 'steplaw'"):
        prior_from_published("chinchilla", leave_out=["steplow"])
    with pytest.raises(UsageError, match="'optimal_size' has published fits but is not in the cat"):
        prior_from_published("optimal_size")


def test_errors_of_the_fits_are_taken_off_the_spread_between_tables() -> None:
    estimates = np.array([0.0, 1.0, 2.0])
    assert predictive(estimates, np.zeros(3)) == pytest.approx((1.0, np.sqrt(1 + 1 / 3)))
    assert predictive(estimates, np.full(3, 0.4)) == pytest.approx((1.0, np.sqrt(0.6 + 1 / 3)))
    assert predictive(estimates, np.full(3, 4.0)) == pytest.approx((1.0, np.sqrt(4 / 3)))


def test_the_prediction_covers_new_tables() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(4000):
        truths = rng.normal(0.0, 0.5, 21)
        variances = rng.uniform(0.01, 0.2, 20)
        mean, spread = predictive(rng.normal(truths[:20], np.sqrt(variances)), variances)
        inside.append(abs(truths[20] - mean) < 1.6449 * spread)
    # A Normal whose spread is estimated from 20 tables covers less than nominal: here 0.86, with
    # a standard error of 0.006.
    assert 0.84 < np.mean(inside) < 0.90
