"""Charts with a floor or amplitudes as coordinates: every one of the catalogue leads back."""

from itertools import combinations

import numpy as np
import pytest

from theory import laws
from theory.declaration.stated_chart import statable, stated_chart
from theory.declaration.symbols import Domain, Role
from theory.errors import LawError

CHARTED = [law for law in laws.catalogue().values() if law.has_chart]

ROUNDING = 1e-8
"""A solved contour and a difference from the floor, divided by an exponent."""


def example(law):
    """Pivot and pivot coordinates in the middle of where the law is used."""
    log_pivot = {
        r.name: float(np.log(r.typical).mean()) if r.is_covariate else 12.0 + 3 * i
        for i, r in enumerate(law.resources)
    }
    out = {}
    for coordinate in law.chart.coordinates:
        p = coordinate.parameter
        if p is None:
            value = 2.5 if coordinate.name == "L_pivot" else 0.3
        elif p.role is Role.CAP:
            value = 10.0
        elif p.domain is Domain.UNIT:
            value = 0.4
        elif p.role is Role.POSITION and p.of is not None:
            value = np.exp(log_pivot[p.of.name] + 1.0)
        else:
            value = (p.typical or (0.3, 1.0))[0]
        out[coordinate.name] = np.array([value])
    return log_pivot, out


def subsets(law):
    names = [*statable(law.chart)]
    return [chosen for n in range(1, len(names) + 1) for chosen in combinations(names, n)]


@pytest.mark.parametrize("law", CHARTED, ids=lambda law: law.name)
def test_parameters_and_coordinates_lead_to_each_other(law):
    log_pivot, at = example(law)
    parameters = law.chart.to_parameters(at, log_pivot, np)
    for chosen in subsets(law):
        try:
            chart = stated_chart(law.chart, chosen)
        except LawError:
            continue
        assert set(chosen) <= set(chart.names)
        assert len(chart.names) == len(law.chart.names)  # as many unknowns as before
        assert stated_chart(law.chart, chart.names).names == chart.names
        there = chart.to_coordinates(parameters, log_pivot, np)
        for name in chosen:
            np.testing.assert_allclose(there[name], np.exp(parameters[name]))
        back = chart.to_parameters(there, log_pivot, np)
        for name, value in parameters.items():
            np.testing.assert_allclose(back[name], value, rtol=ROUNDING, err_msg=f"{chosen} {name}")


def test_what_each_statement_replaces():
    def names(*stated):
        return stated_chart(laws.chinchilla.chart, stated).names

    exponents = ("alpha", "beta")
    assert names() == names("alpha") == laws.chinchilla.chart.names
    assert names("E") == ("reducible_pivot", "E", "share_N", *exponents)
    assert names("A") == ("floor_fraction", "share_N", "A", *exponents)
    assert names("E", "B") == ("E", "share_N", "B", *exponents)
    assert names("E", "A", "B") == ("E", "A", "B", *exponents)
    assert names("E", "L_pivot") == ("E", "L_pivot", "share_N", *exponents)
    assert names("E", "floor_fraction") == ("E", "floor_fraction", "share_N", *exponents)


@pytest.mark.parametrize(
    ("law", "stated", "sentence"),
    [
        ("chinchilla", ("A", "L_pivot"), "'L_pivot' beside A, from which it follows; leave one"),
        ("chinchilla", ("A", "B", "share_N"), "'share_N' beside A and B, from which it follows"),
        ("chinchilla", ("E", "A", "floor_fraction"), "'floor_fraction' beside E and A"),
        ("chinchilla", ("E", "floor_fraction", "L_pivot"), "'L_pivot' beside E"),
        ("share_free", ("A",), "terms of this law depend on the loss itself; state all of A, B"),
        ("rosenfeld", ("A", "B"), "'A' without one on E, because"),
    ],
)
def test_what_follows_or_has_no_chart_is_refused(law, stated, sentence):
    with pytest.raises(LawError, match=sentence):
        stated_chart(laws.get(law).chart, stated)


def test_one_amplitude_sets_the_scale_of_the_loss():
    law = laws.get("chinchilla")
    log_pivot = {"N": 18.0, "D": 22.0}
    chart = stated_chart(law.chart, ["A"])
    at = {"floor_fraction": 0.6, "share_N": 0.25, "A": 400.0, "alpha": 0.34, "beta": 0.28}
    found = law.values(chart.to_parameters(at, log_pivot, np))
    term = 400.0 * np.exp(-0.34 * 18.0)  # a quarter of the reducible loss, 0.4 of the loss
    assert found["B"] * np.exp(-0.28 * 22.0) == pytest.approx(3 * term)
    assert found["E"] == pytest.approx(0.6 / 0.4 * 4 * term)
