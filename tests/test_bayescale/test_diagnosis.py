"""The gate, on chains whose faults are known."""

import re

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from bayescale.diagnosis import (
    MAX_PARETO_K,
    TAIL_PROB,
    Diagnosis,
    Status,
    beside,
    diagnose_attempts,
    diagnose_chains,
    diagnose_importance,
    smooth_weights,
    worst_convergence,
)
from bayescale.errors import DiagnosticsRefused, DiagnosticsWarning

CHAINS, DRAWS = 4, 1000


def good(seed=0, chains=CHAINS, draws=DRAWS):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(chains, draws)) for name in ("alpha", "beta")}


def healthy(seed=1, chains=CHAINS, draws=DRAWS):
    """Statistics of a sampler that explores: no divergence, independent energies (BFMI 2)."""
    rng = np.random.default_rng(seed)
    shape = (chains, draws)
    return {"diverging": np.zeros(shape, dtype=bool), "energy": rng.normal(size=shape)}


def judge(posterior, **sample_stats):
    return diagnose_chains(posterior, sample_stats)


def autoregressive(rng, shape, rho):
    out = rng.normal(size=shape)
    for t in range(1, shape[1]):
        out[:, t] = rho * out[:, t - 1] + np.sqrt(1 - rho**2) * out[:, t]
    return out


# --- Markov chains


def test_good_chains_pass():
    found = judge(good(), **healthy())
    assert found == Diagnosis()
    assert found.status is Status.OK
    assert found.reasons == ()
    found.require()


def test_good_chains_pass_without_sample_statistics():
    assert judge(good()).status is Status.OK


def test_a_shifted_chain_is_refused_for_r_hat():
    posterior = good()
    posterior["alpha"][2] += 1.0
    found = judge(posterior, **healthy())
    assert found.status is Status.REFUSE
    sentence = found.refusals[0]
    assert sentence.startswith("the chains disagree on alpha (R-hat up to 1.")
    assert "at most 1.01 is allowed" in sentence
    assert "beta" not in sentence


def test_slow_chains_are_refused_for_their_effective_sample_size():
    rng = np.random.default_rng(2)
    # rho = 0.9 leaves 1 draw in 19, about 210 of 4,000, in chains that agree.
    posterior = {"alpha": autoregressive(rng, (CHAINS, DRAWS), 0.9), "beta": good()["beta"]}
    found = judge(posterior, **healthy())
    (sentence,) = [s for s in found.refusals if "effective" in s]
    assert sentence.startswith("too few effective draws of alpha (smallest ESS ")
    assert sentence.endswith("at least 400 is needed); raise draws=.")


def test_short_chains_are_refused_for_their_effective_sample_size():
    found = judge(good(draws=60), **healthy(draws=60))
    assert any(s.startswith("too few effective draws of ") for s in found.refusals)


def test_three_divergences_in_4000_are_a_warning_and_two_may_be_chance():
    stats_ = healthy()
    stats_["diverging"][1, 5:7] = True
    assert judge(good(), **stats_).status is Status.OK
    stats_["diverging"][2, 9] = True
    found = judge(good(), **stats_)
    assert found.status is Status.WARN
    assert found.refusals == ()
    assert found.warnings[0].startswith("3 of 4000 draws diverged; the posterior may hide a corner")
    found.require()


def test_one_draw_in_a_hundred_diverging_is_refused():
    stats_ = healthy()
    stats_["diverging"][:, ::100] = True
    found = judge(good(), **stats_)
    assert found.status is Status.REFUSE
    assert found.refusals[0].startswith("40 of 4000 draws diverged; ")


@pytest.mark.parametrize(("count", "status"), [(4, Status.WARN), (5, Status.REFUSE)])
def test_divergences_are_refused_above_one_in_a_thousand(count, status):
    stats_ = healthy()
    stats_["diverging"].flat[:count] = True
    assert judge(good(), **stats_).status is status


def test_energies_that_hardly_move_are_refused():
    stats_ = healthy()
    # BFMI = E(dE^2)/var(E) = 2 (1 - rho) = 0.02.
    stats_["energy"] = autoregressive(np.random.default_rng(3), (CHAINS, DRAWS), 0.99)
    found = judge(good(), **stats_)
    assert found.status is Status.REFUSE
    (sentence,) = found.refusals
    assert sentence.startswith("the tails are not explored (BFMI down to 0.0")
    assert "at least 0.3 is needed" in sentence


def test_one_chain_cannot_show_that_it_converged():
    found = judge(good(chains=1), **healthy(chains=1))
    expected = ("one chain cannot show that it converged; draw at least two.",)
    assert found.refusals == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_draw_that_is_not_finite_is_refused(bad):
    posterior = good()
    posterior["alpha"][2, 7] = bad
    found = judge(posterior, **healthy())
    expected = "draws of alpha are not finite; set a tighter prior on what they follow."
    assert found.refusals == (expected,)


def test_variables_with_groups_are_judged_too():
    offsets = np.random.default_rng(9).normal(size=(CHAINS, DRAWS, 2))
    offsets[1, :, 1] += 1.0
    found = judge({**good(), "a_offset": offsets})
    assert found.refusals[0].startswith("the chains disagree on a_offset (R-hat up to 1.")


# --- numbers beside their thresholds


@pytest.mark.parametrize(
    ("value", "threshold", "decimals", "text"),
    [
        (1.0100004, 1.01, 3, "1.0100004"),
        (1.0132, 1.01, 3, "1.013"),
        (1.01, 1.01, 3, "1.010"),
        (399.96, 400.0, 0, "399.96"),
        (0.7000001, 0.7, 2, "0.7000001"),
        (0.2996, 0.3, 2, "0.2996"),
        (float("nan"), 1.01, 3, "nan"),
    ],
)
def test_a_number_is_shown_on_its_side_of_the_threshold(value, threshold, decimals, text):
    assert beside(value, threshold, decimals) == text


def numbers_of(sentence):
    return [float(number) for number in re.findall(r"(?<![\w.])\d+\.?\d*(?:e-?\d+)?", sentence)]


def test_no_refusal_contradicts_itself_at_its_threshold():
    """Chains are moved apart by small steps, so that R-hat is refused just above 1.01."""
    rng = np.random.default_rng(4)
    for shift in np.linspace(0.1, 0.8, 700):
        posterior = {"alpha": good()["alpha"]}
        posterior["alpha"][2] += shift
        if refused := [s for s in judge(posterior).refusals if "R-hat" in s]:
            worst, most = numbers_of(refused[0])[:2]
            assert worst > most == 1.01
            assert worst < 1.0105  # as near as the steps lead
            break
    else:
        raise AssertionError("no shift was refused")
    (sentence,) = diagnose_importance({"pareto_k": 0.70001, "importance_ess": 9e3}).refusals
    assert numbers_of(sentence)[0] > MAX_PARETO_K
    (sentence,) = diagnose_importance({"pareto_k": 0.1, "importance_ess": 399.99}).refusals
    assert numbers_of(sentence)[0] < 400
    energy = autoregressive(rng, (CHAINS, DRAWS), 0.99)
    (sentence,) = judge(good(), energy=energy).refusals
    assert numbers_of(sentence)[0] < 0.3


# --- the verdict itself


def test_refusals_come_first_and_verdicts_add_up():
    both = Diagnosis(warnings=("odd.",)) + Diagnosis(("bad.",)) + Diagnosis()
    assert both == Diagnosis(("bad.",), ("odd.",))
    assert both.reasons == ("bad.", "odd.")
    assert both.status is Status.REFUSE
    assert Diagnosis(warnings=("odd.",)).status is Status.WARN
    assert both.to_dict() == {"status": "refuse", "reasons": ["bad.", "odd."]}
    assert str(both) == "refuse\n- bad.\n- odd."


def test_a_verdict_may_be_labelled():
    found = Diagnosis(("bad.",), ("odd.",)).labelled("group 'a'")
    assert found == Diagnosis(("group 'a': bad.",), ("group 'a': odd.",))


def test_a_verdict_warns_with_its_reasons_unless_all_is_well():
    with pytest.warns(DiagnosticsWarning, match=r"^diagnostics: refuse\. bad\. odd\.$"):
        Diagnosis(("bad.",), ("odd.",)).warn(stacklevel=1)
    Diagnosis().warn(stacklevel=1)  # a warning would be an error here


def test_a_refusal_raises_with_its_reasons_unless_forced():
    refused = Diagnosis(("the first.", "the second."), ("a warning.",))
    with pytest.raises(DiagnosticsRefused) as caught:
        refused.require()
    assert str(caught.value) == (
        "the posterior is not to be trusted: the first. the second. Pass force=True (--force) to "
        "go on all the same; the result is then marked."
    )
    assert caught.value.exit_code == 5
    refused.require(force=True)
    Diagnosis(warnings=("a warning.",)).require()


def test_a_second_attempt_that_did_not_help_is_told() -> None:
    facts = {"attempts": 2, "warmup": 1500, "target_acceptance": 0.98}
    (sentence,) = diagnose_attempts(Diagnosis(("bad.",)), facts).refusals
    assert sentence == (
        "this was a second attempt, with 1500 draws of warm-up and target acceptance 0.98, after "
        "the first had failed too."
    )
    assert diagnose_attempts(Diagnosis(), facts) == Diagnosis()  # it helped
    assert diagnose_attempts(Diagnosis(("bad.",)), {**facts, "attempts": 1}) == Diagnosis()
    assert diagnose_attempts(Diagnosis(("bad.",)), {}) == Diagnosis()


# --- importance sampling


def test_importance_weights_are_judged_by_pareto_k_and_effective_draws():
    assert diagnose_importance({"pareto_k": 0.3, "importance_ess": 4000.0}) == Diagnosis()
    assert diagnose_importance({"pareto_k": 0.7, "importance_ess": 400.0}) == Diagnosis()
    (heavy,) = diagnose_importance({"pareto_k": 0.71, "importance_ess": 4000.0}).refusals
    assert heavy == (
        "the Laplace approximation does not cover the posterior (Pareto k 0.71, at most 0.7 is "
        "allowed); use engine='numpyro'."
    )
    (few,) = diagnose_importance({"pareto_k": 0.1, "importance_ess": 399.4}).refusals
    assert few == (
        "the importance weights leave 399 effective draws (at least 400 are needed); "
        "use engine='numpyro'."
    )


def test_facts_that_are_not_numbers_are_refused():
    facts = {"pareto_k": np.nan, "importance_ess": np.nan}
    assert len(diagnose_importance(facts).refusals) == 2


def test_a_wide_proposal_gives_weights_that_reproduce_the_target():
    rng = np.random.default_rng(4)
    proposal, target = stats.t(7), stats.norm(0.4, 0.8)
    x = proposal.rvs(20_000, random_state=rng)
    weights, pareto_k = smooth_weights(target.logpdf(x) - proposal.logpdf(x))
    assert pareto_k < 0.5
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert np.all(weights >= 0)
    # Effective draws are above 10,000: five standard errors of a mean and a variance.
    ess = 1 / np.sum(weights**2)
    assert ess > 10_000
    mean = np.sum(weights * x)
    assert mean == pytest.approx(0.4, abs=5 * 0.8 / np.sqrt(ess))
    variance = np.sum(weights * (x - mean) ** 2)
    assert variance == pytest.approx(0.64, rel=5 * np.sqrt(2 / ess))


def test_a_narrow_proposal_on_a_heavy_tail_is_found_out():
    rng = np.random.default_rng(5)
    # The ratio grows like exp(z^2/2): k = 1 in the limit, about 0.9 at a thousand tail draws.
    proposal, target = stats.norm(0, 0.2), stats.cauchy()
    x = proposal.rvs(10_000, random_state=rng)
    _, pareto_k = smooth_weights(target.logpdf(x) - proposal.logpdf(x))
    assert pareto_k > MAX_PARETO_K


def test_a_constant_in_the_log_ratio_changes_nothing():
    x = np.random.default_rng(6).normal(size=5000)
    log_ratio = -0.1 * x**2
    first, again = smooth_weights(log_ratio), smooth_weights(log_ratio - 5000.0)
    np.testing.assert_allclose(first[0], again[0], rtol=1e-9)  # 5000 costs four digits of sixteen
    assert first[1] == pytest.approx(again[1], abs=1e-6)


# --- convergence of arrays


def test_worst_convergence_is_the_worst_of_arvizs_own_numbers():
    rng = np.random.default_rng(7)
    draws = np.stack([autoregressive(rng, (CHAINS, 500), rho) for rho in (0.0, 0.5, 0.95)], axis=-1)
    draws[0, :, 1] += 0.5
    dataset = xr.Dataset({f"q{i}": (("chain", "draw"), draws[..., i]) for i in range(3)})
    rhat = arviz_stats.rhat(dataset)
    bulk = arviz_stats.ess(dataset, method="bulk")
    tail = arviz_stats.ess(dataset, method="tail", prob=TAIL_PROB)
    worst_rhat, worst_ess = worst_convergence(draws)
    assert worst_rhat == pytest.approx(max(float(v) for v in rhat.values()), rel=1e-12)
    values = [float(v) for table in (bulk, tail) for v in table.values()]
    assert worst_ess == pytest.approx(min(values), rel=1e-12)
    # The two come from different quantities, and neither from the first.
    assert np.argmax([float(rhat[f"q{i}"]) for i in range(3)]) != 0


def test_independent_draws_have_as_many_effective_ones():
    draws = np.random.default_rng(8).normal(size=(4, 2000, 1))
    rhat, ess = worst_convergence(draws)
    assert rhat == pytest.approx(1.0, abs=0.005)
    assert 5000 < ess < 11_000  # of 8,000; the tail ESS is noisy by about 5%
