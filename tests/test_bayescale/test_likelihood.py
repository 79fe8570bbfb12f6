"""Noise models as data."""

import numpy as np
import pytest
from scipy import stats

from bayescale import likelihood as likelihoods
from bayescale.errors import UsageError
from bayescale.family import FAMILIES
from bayescale.likelihood import LIKELIHOODS, AbstractLikelihood, Normal, StudentT
from bayescale.prior import Prior

every = pytest.mark.parametrize("name", LIKELIHOODS)


def test_the_registry_holds_every_likelihood_under_its_name():
    assert LIKELIHOODS["studentt"] is StudentT
    assert LIKELIHOODS["normal"] is Normal
    assert all(kind.name == name for name, kind in LIKELIHOODS.items())


@every
def test_a_likelihood_is_found_by_name_and_passed_through(name):
    found = likelihoods.get(name)
    assert isinstance(found, AbstractLikelihood)
    assert found == LIKELIHOODS[name]()
    assert likelihoods.get(found) is found


def test_an_unknown_likelihood_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        likelihoods.get("student")
    message = str(caught.value)
    assert message.startswith("no likelihood called 'student'. Did you mean 'studentt'? Known: ")


@every
def test_the_noise_is_a_known_family_with_all_its_arguments(name):
    kind = likelihoods.get(name)
    values = {parameter: 0.5 for parameter in kind.priors()}
    noise = kind.noise(np.zeros(3), values)
    assert set(noise.arguments) == set(FAMILIES[noise.family].arguments)


def test_each_noise_is_its_distribution_around_the_log_loss():
    log_loss, at = np.log([2.0, 3.0]), np.log([2.1, 2.8])
    cases = [
        (StudentT(), {"sigma": 0.02, "nu": 4.0}, stats.t(4.0, log_loss, 0.02)),
        (Normal(), {"sigma": 0.02}, stats.norm(log_loss, 0.02)),
    ]
    for kind, values, expected in cases:
        noise = kind.noise(log_loss, values)
        got = FAMILIES[noise.family].log_density(at, np, **noise.arguments)
        np.testing.assert_allclose(got, expected.logpdf(at), rtol=1e-12)  # a dozen roundings


def test_the_default_noise_priors_are_the_documented_ones():
    # THEORY_LAWS.md, section 4.2; Juarez and Steel 2010 for nu.
    expected = {"sigma": Prior.around(0.01, 1.0), "nu": Prior("Gamma", alpha=2, beta=0.1)}
    assert StudentT().priors() == expected
    assert Normal().priors() == {"sigma": Prior.around(0.01, 1.0)}
