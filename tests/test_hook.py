"""The hook that checks types and shapes is alive in both packages, not merely installed."""

import importlib
import inspect

import jaxtyping
import numpy as np
import pytest

from bayescale.engines.mode import Mode
from theory.errors import did_you_mean


def test_a_wrong_shape_is_refused_in_bayescale():
    at = {"log_density": 0.0, "agreeing": 1, "starts": 1}
    assert Mode(position=np.zeros(2), covariance=np.eye(2), **at).factor.shape == (2, 2)
    with pytest.raises(jaxtyping.TypeCheckError):
        Mode(position=np.zeros(2), covariance=np.eye(3), **at)


def test_a_wrong_type_is_refused_in_theory():
    with pytest.raises(jaxtyping.TypeCheckError):
        did_you_mean("chinchila", 3)


@pytest.mark.parametrize(
    "name", ["bayescale.runs.table", "bayescale.planning.plan", "theory.declaration.law"]
)
def test_a_module_is_loaded_by_the_hook(name):
    loader = inspect.getmodule(importlib.import_module(name)).__spec__.loader
    assert type(loader).__module__.startswith("jaxtyping")
