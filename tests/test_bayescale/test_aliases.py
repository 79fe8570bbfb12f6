"""Names of elsewhere are understood, with a notice."""

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.aliases import ARGUMENTS, ENGINES, LAWS, canonical
from bayescale.errors import BayescaleWarning, DiagnosticsWarning, UsageError
from bayescale.models.formulas import find_law
from theory import laws


def table(rows):
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 9, rows), 10 ** rng.uniform(9, 11, rows)
    loss = (1.7 + 406 * n**-0.34 + 411 * d**-0.28) * np.exp(0.01 * rng.normal(size=rows))
    return pd.DataFrame({"N": n, "D": d, "loss": loss})


def test_every_alias_leads_to_what_is_here():
    assert set(LAWS.values()) <= set(laws.catalogue())
    assert set(ENGINES.values()) <= set(bs.engines.ENGINES)
    assert not set(LAWS) & set(laws.catalogue())
    assert not set(ENGINES) & set(bs.engines.ENGINES)
    assert ARGUMENTS == {"random_seed": "seed"}


@pytest.mark.parametrize("name", LAWS)
def test_a_law_by_another_name_is_found_with_a_notice(name):
    with pytest.warns(BayescaleWarning, match=f"law '{name}' is called 'chinchilla' here"):
        assert find_law(name) is laws.chinchilla


def test_an_engine_by_another_name():
    with pytest.warns(BayescaleWarning, match="engine 'nuts' is called 'numpyro' here; it is"):
        assert canonical("engine", "nuts", ENGINES) == "numpyro"


@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_a_seed_by_another_name_is_the_seed():
    runs = table(30)
    with pytest.warns(BayescaleWarning, match="argument 'random_seed' is called 'seed' here"):
        post = bs.fit(runs, "power", engine="laplace", random_seed=3)
    assert post.seed == 3
    with (
        pytest.warns(BayescaleWarning),
        pytest.raises(UsageError, match="random_seed= and seed= were both given; leave out"),
    ):
        bs.fit(runs, seed=1, random_seed=3)


def test_few_runs_are_answered_with_the_prior_beside_the_posterior():
    with pytest.warns(DiagnosticsWarning, match="5 runs for 5 unknowns, so the prior carries much"):
        post = bs.fit(table(5), "power", engine="laplace")
    found = post.summary()
    assert [*found.columns][2:8] == ["q05", "q50", "q95", "prior_q05", "prior_q50", "prior_q95"]
    exponent = post.model.priors.table["alpha"].scipy()
    # 4,000 draws know a quantile to about 2%.
    assert found.loc["alpha", "prior_q95"] == pytest.approx(exponent.ppf(0.95), rel=0.05)
    assert "prior_q50" not in post.summary(prior=False).columns
