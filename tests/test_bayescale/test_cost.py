"""Cost models."""

import math

import numpy as np
import pytest

from bayescale import cost as costs
from bayescale.cost import COSTS, ProductCost
from bayescale.errors import UsageError
from theory.symbols import D, N


def test_training_costs_six_flop_a_parameter_and_token():
    model = costs.get("6ND")
    # Chinchilla: 70e9 parameters on 1.4e12 tokens is 5.88e23 FLOP.
    log_cost = model.log_cost({"N": math.log(70e9), "D": math.log(1.4e12)})
    assert math.exp(log_cost) == pytest.approx(5.88e23, rel=1e-12)
    assert model.resources == (N, D)
    assert model.factor == 6.0


def test_orders_are_powers_and_arrays_broadcast():
    model = ProductCost("test", "test", 2.5, {N: 1.5, D: 0.5})
    n, d = np.array([[10.0], [100.0]]), np.array([4.0, 9.0, 16.0])
    got = model.log_cost({"N": np.log(n), "D": np.log(d)})
    np.testing.assert_allclose(np.exp(got), 2.5 * n**1.5 * d**0.5, rtol=1e-13)
    assert model.log_factor == math.log(2.5)


def test_a_cost_model_is_found_by_name_and_passed_through():
    for name, model in COSTS.items():
        assert model.name == name
        assert model.source
        assert costs.get(name) is model
        assert costs.get(model) is model


def test_an_unknown_cost_model_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        costs.get("6N")
    expected = "no cost model called '6N'. Did you mean '6ND'? Known: 6ND."
    assert str(caught.value) == expected
