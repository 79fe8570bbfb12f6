"""Declared quantities are plain SymPy symbols with words attached."""

import pytest
import sympy

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import C, D, Domain, N, Parameter, Resource, Role

n = sympy.Symbol("N", positive=True)
a = sympy.Symbol("alpha", positive=True)
alpha = s.exponent("alpha", of=N)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (N + 2, n + 2),
        (2 + N, n + 2),
        (N - 2, n - 2),
        (2 - N, 2 - n),
        (N * 3, 3 * n),
        (3 * N, 3 * n),
        (N / 2, n / 2),
        (2 / N, 2 / n),
        (N**2, n**2),
        (2**N, 2**n),
        (-N, -n),
        (N + alpha, n + a),
        (N - alpha, n - a),
        (N * alpha, n * a),
        (N / alpha, n / a),
        (N**alpha, n**a),
        (N**-alpha, n**-a),
        (n * alpha, n * a),
        (n**alpha, n**a),
        (N / sympy.sqrt(alpha), n / sympy.sqrt(a)),
    ],
)
def test_every_operation_gives_the_plain_sympy_expression(made, expected):
    assert isinstance(made, sympy.Expr)
    assert made == expected


@pytest.mark.parametrize(
    "name", ["E", "S", "N", "I", "Q", "O", "C", "beta", "gamma", "zeta", "lambda", "pi", "Max"]
)
def test_any_name_of_the_papers_is_just_a_name(name):
    # SymPy would parse these strings as constants, functions or assumptions.
    parameter = Parameter(name, Role.SHAPE, "a test")
    expression = 2 * parameter + 1
    assert expression.free_symbols == {sympy.Symbol(name, positive=True)}
    assert expression.subs(parameter.symbol, 3) == 7


def test_a_law_in_difficult_names_evaluates():
    e, big_s = s.floor("E"), s.amplitude("S", of=N)
    beta, gamma = s.exponent("beta", of=N), s.shape("gamma", "a test")
    law = Law(
        name="names",
        title="names",
        resources=(N,),
        parameters=(e, big_s, beta, gamma),
        formula=e + big_s * N ** -(beta * gamma),
        floor=e,
        weights={N: beta * gamma},
        source="test",
        citation="test",
    )
    got = law.loss(N=1e4, E=1.5, S=20.0, beta=0.5, gamma=0.5)
    assert got == pytest.approx(1.5 + 20.0 * 1e4**-0.25, rel=1e-13)


def test_strings_are_refused_instead_of_parsed():
    with pytest.raises(sympy.SympifyError):
        N + "D"


def test_a_symbol_is_positive_exactly_where_its_domain_is():
    real = Parameter("delta", Role.SHAPE, "a test", domain=Domain.REAL)
    assert real.symbol.is_real
    assert real.symbol.is_positive is None
    assert alpha.symbol.is_positive
    assert all(resource.symbol.is_positive for resource in (N, D, C))


def test_quantities_are_equal_when_they_say_the_same():
    assert Resource("N", "model size", "parameters") == N
    assert Resource("N", "model size", "layers") != N
    assert len({N, D, C, Resource("N", "model size", "parameters")}) == 3


def test_every_resource_is_registered_under_its_column_name():
    declared = {q.name: q for q in vars(s).values() if isinstance(q, Resource)}
    assert declared == s.RESOURCES
    assert set(s.RESOURCES) >= {"N", "D", "C", "U", "t", "S", "B", "density", "experts", "bits"}
    assert all(getattr(s, name) is resource for name, resource in s.RESOURCES.items())
    assert all(resource.meaning and resource.unit for resource in s.RESOURCES.values())


def test_a_covariate_is_what_has_a_typical_range():
    covariates = {r.name for r in s.RESOURCES.values() if r.is_covariate}
    assert covariates == {"density", "experts", "G", "bits", "streams"}
    for name in covariates:
        low, high = s.RESOURCES[name].typical
        assert 0 < low < high


def test_what_is_positive_or_between_0_and_1_travels_as_a_logarithm():
    assert [d for d in Domain if not d.is_positive] == [Domain.REAL]
    spread = s.shape("spread", "a test", domain=Domain.UNIT)
    assert spread.symbol.is_positive
    assert 0 < Domain.UNIT.middle < 1
    assert Domain.POSITIVE.middle > 0


def test_each_maker_gives_its_role_and_unit():
    assert s.floor().role is Role.FLOOR
    assert s.floor().unit == "nats/token"
    assert s.amplitude("A", of=N).role is Role.AMPLITUDE
    assert "parameters^exponent" in s.amplitude("A", of=N).unit
    assert s.amplitude("A", of=N, unit="1").unit == "1"
    assert s.scale("D_c", of=D).role is Role.AMPLITUDE
    assert s.scale("D_c", of=D).unit == "tokens"
    assert s.exponent("beta", of=D, typical=(0.1, 0.2)).typical == (0.1, 0.2)
    assert s.exponent("beta", of=D).role is Role.EXPONENT
    assert s.shape("q", "a test").role is Role.SHAPE
    assert s.shape("gamma", "a test", unit="bits").unit == "bits"
    assert s.cap().role is Role.CAP
    assert s.cap().unit == "nats/token"
    place = s.position("D_1", of=D)
    assert (place.role, place.unit, place.of) == (Role.POSITION, "tokens", D)
    assert {p.of for p in (s.floor(), s.cap(), alpha)} == {None}
