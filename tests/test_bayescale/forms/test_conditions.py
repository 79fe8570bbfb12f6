"""`check`: verdicts as a table, as JSON, for a catalogue law, a formula, a law of one's own."""

import json

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.errors import RunsError, UsageError
from theory import laws
from theory.admissibility import admissible
from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import D, N
from theory.errors import UnknownLaw


def test_a_law_is_checked_by_name_by_formula_and_as_an_object():
    by_name = bs.check("chinchilla").summary()["status"].tolist()
    by_formula = bs.check("E + A*N**-alpha + B*D**-beta").summary()["status"].tolist()
    assert by_name == by_formula == bs.check(laws.chinchilla).summary()["status"].tolist()
    assert by_name[:4] == ["proved"] * 4


def test_the_table_has_a_row_a_condition_with_its_reason_and_witness():
    table = bs.check("kaplan").summary()
    assert table.index.tolist() == list(admissible.conditions())
    assert table["detail"].str.endswith(".").all()
    refuted = table["status"] == "refuted"
    assert refuted["A4"]
    assert table["witness"][refuted].str.contains("alpha_N = ").all()
    assert (table["witness"][~refuted] == "").all()


def test_what_is_refuted_although_claimed_is_named():
    result = bs.check("E + A*N**-alpha*(1 + log(N))")
    assert "A0" in [verdict.code for verdict in result.broken]
    assert "(claimed)" in str(result)
    assert not bs.check("kaplan").broken


def test_the_json_is_plain_and_keeps_the_digits_of_a_witness():
    data = json.loads(json.dumps(bs.check("kaplan").to_dict()))
    assert data["broken"] == []
    found = {row["code"]: row for row in data["conditions"]}
    assert found["A0"]["witness"] is None
    assert found["A6"]["witness"]["allowed"] == "at most ln V"
    assert len(found["A6"]["witness"]["alpha_N"]) > 15


def test_a_misspelt_law_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownLaw, match="Did you mean 'chinchilla'"):
        bs.check("chinchila")


def test_a_formula_in_other_resources_names_them():
    result = bs.check("E + F*S**-p + A*N**-q", resources=["N", "S"])
    assert [r.name for r in result.law.resources] == ["N", "S"]
    assert not result.broken


def test_a_law_declared_in_five_lines_is_checked_listed_and_fitted(monkeypatch, capsys):
    from bayescale.cli.commands.laws import laws as list_laws
    from theory.laws import additive

    e, a, b = s.floor(), s.amplitude("A", of=N), s.amplitude("B", of=D)
    alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
    formula = e + ((a * N**-alpha) ** 2 + (b * D**-beta) ** 2) ** 0.5
    mine = {"resources": (N, D), "parameters": (e, a, b, alpha, beta), "floor": e}
    law = Law(name="root_square", title="", formula=formula, source="", citation="", **mine)

    # One place: the module in which the catalogue looks.
    monkeypatch.setattr(additive, "root_square", law, raising=False)
    assert laws.get("root_square") is law
    list_laws()
    assert "root_square" in capsys.readouterr().out
    statuses = bs.check("root_square").summary()["status"]
    assert statuses.loc[["A0", "A1", "A2", "A3"]].tolist() == ["proved"] * 4
    rng = np.random.default_rng(0)
    model = bs.Model.at("root_square", pivot={"N": 1e8, "D": 1e10})
    design = {n: p * np.exp(rng.uniform(-3, 3, 40)) for n, p in (("N", 1e8), ("D", 1e10))}
    made = model.simulate(design, seed=1, coordinates={"sigma": 0.003, "nu": 8.0, "alpha": 0.31})
    row = bs.fit(made.runs, law="root_square", engine="laplace").summary().loc["alpha"]
    assert abs(row["mean"] - 0.31) < 4 * row["sd"]


def test_a_formula_is_fitted_saved_and_read_again(tmp_path):
    text = "E + A*N**-lambda + B*D**-S"
    model = bs.Model.at(text, pivot={"N": 1e8, "D": 1e10})
    rng = np.random.default_rng(0)
    design = {n: p * np.exp(rng.uniform(-3, 3, 40)) for n, p in (("N", 1e8), ("D", 1e10))}
    runs = model.simulate(design, seed=2, coordinates={"sigma": 0.003, "nu": 8.0}).runs
    mine = bs.fit(runs, law=text, engine="laplace", seed=0)
    named = bs.fit(runs, law="chinchilla", engine="laplace", seed=0)
    # The same law in other letters has the same default priors, hence the same posterior.
    means = mine.summary().loc[["E", "A", "B", "lambda", "S"], "mean"].to_numpy()
    others = named.summary().loc[["E", "A", "B", "alpha", "beta"], "mean"].to_numpy()
    np.testing.assert_allclose(means, others, rtol=1e-9)
    again = bs.Posterior.load(mine.save(tmp_path / "mine.nc"))
    np.testing.assert_array_equal(
        again.predict(N=1e9, D=1e11).draws, mine.predict(N=1e9, D=1e11).draws
    )


def test_a_parameter_called_like_one_of_the_likelihood_is_refused():
    with pytest.raises(UsageError) as caught:
        bs.Model.at("E + A*N**-sigma", pivot={"N": 1e8})
    assert str(caught.value) == (
        "sigma is a parameter of law 'user' and of the likelihood; rename it in the law."
    )


def test_a_size_that_enters_by_a_logarithm_only_refutes_the_scaling_equation():
    result = bs.check("E + A*log(N)/D")
    verdict = result.verdicts[0]
    assert str(verdict.status) == "refuted"
    assert "only where N is held" in verdict.detail
    assert verdict.point["N"] > 0


def test_a_product_leaves_an_exponent_open_and_says_so():
    detail = bs.check("E + A*N**-alpha*D**-beta").verdicts[0].detail
    assert detail == "homogeneous, and leaves the exponent of D open."


def test_a_formula_knows_the_resources_that_its_table_has():
    rng = np.random.default_rng(0)
    sizes = {"N": 1e8 * np.exp(rng.uniform(-3, 3, 40)), "S": 1e5 * np.exp(rng.uniform(-3, 3, 40))}
    loss = 1.6 + 0.5 * (sizes["N"] / 1e8) ** -0.3 + 0.4 * (sizes["S"] / 1e5) ** -0.4
    loss *= np.exp(0.003 * rng.standard_normal(40))
    runs = bs.read_runs(pd.DataFrame({**sizes, "loss": loss}))
    post = bs.fit(runs, law="E + A*N**-alpha + F*S**-p", engine="laplace")
    assert [r.name for r in post.law.resources] == ["N", "S"]
    assert abs(post.summary().loc["p", "mean"] - 0.4) < 4 * post.summary().loc["p", "sd"]


def test_rows_outside_the_domain_of_a_law_are_refused():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "N": 1e8 * np.exp(rng.uniform(-3, 3, 20)),
            "D": 1e10 * np.exp(rng.uniform(-3, 3, 20)),
            "density": [150.0, *rng.uniform(0.1, 1.0, 19)],
            "loss": rng.uniform(2, 3, 20),
        }
    )
    with pytest.raises(RunsError) as caught:
        bs.fit(bs.read_runs(table), law="frantar", engine="laplace")
    assert str(caught.value) == (
        "table: law 'frantar' is meant for density <= 1, which does not hold in row 1; remove "
        "them or choose another law."
    )


@pytest.mark.parametrize(
    ("values", "what"),
    [(["a", "b"] * 10, "it is text"), ([0.0, *[0.5] * 19], "row 1"), ([np.nan] * 20, "rows 1")],
)
def test_a_further_resource_column_must_hold_positive_numbers(values, what):
    rng = np.random.default_rng(0)
    table = {"N": rng.uniform(1e7, 1e9, 20), "D": rng.uniform(1e9, 1e11, 20)}
    runs = bs.read_runs(pd.DataFrame({**table, "density": values, "loss": rng.uniform(2, 3, 20)}))
    with pytest.raises(RunsError) as caught:
        bs.fit(runs, bs.Model.at("frantar", pivot={"N": 1e8, "D": 1e10, "density": 0.3}))
    assert "column 'density' must hold positive numbers in every row" in str(caught.value)
    assert what.split(",")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("E + A/N**a + B/S**b", "if B or S is a resource, name it in resources= (--resource)"),
        ("E + A*N**-a + F*N**-a", "A and F multiply the same"),
        ("", "the law is empty"),
    ],
)
def test_a_formula_that_cannot_be_learnt_says_what_to_write(text, sentence):
    with pytest.raises(UsageError) as caught:
        bs.check(text)
    assert sentence in str(caught.value)
