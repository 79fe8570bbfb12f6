"""Laws given as text: what is read, what is refused, and that nothing is ever run."""

import math
import operator
import time
from collections.abc import Callable

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayescale.distributions.prior import Prior
from bayescale.errors import LimitError, UsageError
from bayescale.models.formulas import (
    MOST_CHARACTERS,
    _built,
    _read,
    find_law,
    looks_like_expression,
    parse_law,
)
from bayescale.models.model import Model
from theory import laws
from theory.declaration.law import Law
from theory.declaration.symbols import RESOURCES, Role

TOLERANCE = 1e-12  # rounding of a dozen operations, with some room
CHINCHILLA = "E + A*N**-alpha + B*D**-beta"
KAPLAN = "((N_c/N)**(alpha_N/alpha_D) + D_c/D)**alpha_D"
SHARE = "E + ((A*N**-alpha)**q + (B*D**-beta)**q)**(1/q)"


def roles(law: Law) -> dict[str, str]:
    return {p.name: p.role.value for p in law.parameters}


def at_random(law: Law, rng: np.random.Generator) -> dict[str, float]:
    names = [*law.resources, *law.parameters]
    return {q.name: float(rng.uniform(0.2, 3.0)) for q in names}


def evaluate(formula: sympy.Expr, values: dict[str, float]) -> complex:
    """Value of a formula; complex where random numbers take it out of its domain."""
    at = {symbol: values[str(symbol)] for symbol in formula.free_symbols}
    return complex(sympy.lambdify(list(at), formula, "numpy")(*at.values()))


def expression(text: str) -> sympy.Expr:
    """The formula of a text that need not be a law."""
    line, tree, names = _read(text)
    return _built(tree, line, {name: sympy.Symbol(name, positive=True) for name in names})


# --- nothing is run


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()",
        "().__class__.__bases__",
        "(1).__class__",
        "open('x')",
        "open(N)",
        "N.real",
        "N[0]",
        "[x for x in y]",
        "lambda: 0",
        "lambda x: x",
        "f'{N}'",
        "'A*N'",
        "A*N**-alpha if N else D",
        "(x := 3)*N",
        "max(N, key=len)",
        "max(*N)",
        "N, D",
        "N == D",
        "A__B*N",
        "__builtins__*N",
        "True*N",
        "E + A*N**-in",
        "(A)(N)",
        "A*N; B",
        "A*N\\",
        "import os",
    ],
)
def test_what_could_be_code_is_refused(text):
    with pytest.raises(LimitError, match=r"refused.* never run as code; write only names"):
        parse_law(text)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "A*N**9**9**9",
        "2**2**2**2**2**2**2",
        "A*N*(9**9)**(9**9)",
        "A*N**(-alpha*9**99)",
        "A*N**1e50",
        "A*1e99**2*N",
        "A*((1 + 1/9**9)**90)**90*N",
        "(3**(90*x))**(90/x)*A*N**-a",
        "A*exp(exp(exp(90*N/N)))",
        "A*max(exp(exp(exp(exp(90)))), N)",
        "exp((A - 1.01)**90)**(max(x, B)*N)",
        "A*1e999999999*N",
        "A*1e-999999999*N",
        "A*N*" + "9" * 150,
        "E + " + " + ".join(["A*N"] * 10**5),
        "E + " + "+".join(["N"] * 200),
        "(" * 10**4 + "N" + ")" * 10**4,
        "(" * 150 + "N" + ")" * 150,
        "-" * 400 + "N",
        "N" + "**N" * 100,
        "max(" + "-N," * 160 + "N)",
    ],
    ids=lambda text: text[:30],
)
def test_what_would_take_long_is_refused_at_once(text):
    started = time.perf_counter()
    with pytest.raises(LimitError):
        parse_law(text)
    assert time.perf_counter() - started < 2.0  # milliseconds, but machines are shared


def test_the_number_of_names_and_operations_has_a_limit():
    with pytest.raises(LimitError, match="too large; shorten it to 300 parts, nested 30 deep"):
        parse_law("A*max(" + ",".join(["-N"] * 160) + ")")


def test_a_law_of_many_characters_is_refused():
    with pytest.raises(LimitError, match=r"has 501 characters; shorten it to 500\."):
        parse_law("N" * (MOST_CHARACTERS + 1))


# --- one test a message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the law is empty"),
        ("  L = ", "the law is empty"),
        ("A*N^-alpha", r"'\^' has no meaning in a law; write powers with \*\*"),
        ("α*N", "'α' has no meaning in a law; write it with names"),
        ("A*N**−alpha", "'−' has no meaning"),
        ("A*N @ 2", "'@' has no meaning"),
        ("A*N # b", "'#' has no meaning"),
        ("A*(N < D)", "'<' has no meaning"),
        ("2N", r"the number 2 runs into 'N'; write products with \*"),
        ("0x10*N", "the number 0 runs into 'x'"),
        ("1_000*N", "the number 1 runs into '_'"),
        ("2j*N", "the number 2 runs into 'j'"),
        ("A*(N", r"'A\*\(N' cannot be read at character 3 .* write products with \*"),
        ("A*N)", "cannot be read at character 4"),
        ("A N", "cannot be read at character"),
        ("A*", "cannot be read at character"),
        ("E = A*N", "nothing but L = before the formula"),
        ("A*N//2", r"'A\*N//2' has an operator that no law has"),
        ("A*exp", "the function exp needs an argument in parentheses"),
        ("A*exp(N, D)", r"'exp\(N, D\)' gives exp 2 arguments; give it one"),
        ("A*max()", r"'max\(\)' gives max 0 arguments"),
        ("A*N/(2 - 2)", r"'A\*N/\(2 - 2\)' is not a real number; correct"),
        ("A*sqrt(-2)*N", r"'sqrt\(-2\)' is not a real number"),
        ("A*(-2)**0.5*N", "is not a real number"),
        ("A*sqrt(-N)", r"'sqrt\(-N\)' is not a real number"),
        ("A*log(1 - 1)*N", "is not a real number"),
        ("A + B", "no resource stands in the law 'A \\+ B'; resources are N, D, C, and"),
        ("N + D**2", "no parameter stands in the law"),
        ("A*N**-alpha + E - E", r"E cancels from the law 'A\*N\*\*-alpha \+ E - E'; leave it out"),
        ("L = A*N**-alpha + L", "a fit has a 'L' of its own; rename"),
        ("A*N**-alpha + ell", "a fit has a 'ell' of its own"),
        ("A*N**-share_N", "a fit has a 'share_N' of its own"),
        ("E + F + A*N**-alpha", "E and F each stand alone, so only their sum can be learnt; keep"),
        ("E + A*K*N**-alpha", r"A and K multiply the same term 'A\*K/N\*\*alpha', so only one"),
        ("E + A*(K/N)**alpha", "A and K multiply the same term"),
        ("E + N**-alpha", r"the term 'N\*\*\(-alpha\)' needs an amplitude, a parameter that"),
        (
            "(1.5 + A*N**-alpha)**2",
            "the constant 3/2 stands alone; write the irreducible loss as one",
        ),
        (
            "1.5 + E + A*N**-alpha",
            "1.5 and E each stand alone in the law .*, so only their sum can be learnt; keep one",
        ),
        ("A*N**-alpha + A*D**-beta", "needs an amplitude, .* stands nowhere else"),
        ("E + E*N**-alpha", "needs an amplitude"),
        ("max(A*N**-alpha, B*D**-beta)", "needs an amplitude"),
        ("E - A*N**-alpha", r"the term '-A/N\*\*alpha' is negative, but a loss is a sum"),
        ("E + A*N**-alpha*(-1 - D)", "cannot be computed"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text, message):
    with pytest.raises(UsageError, match=message) as error:
        parse_law(text)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A*N**200", r"the exponent in 'N\*\*200' has a number over 100; lower it"),
        ("A*(1 + N)**11", "has a number over 10; lower it"),
        ("A*1e99**2*N", r"'1e99\*\*2' makes a number over 1e\+100 or of many digits; reduce it"),
        ("A*N*0", "'0' is not between 1e-100 and 1e100; choose other units"),
        ("A*N*1e101", "'1e101' is not between"),
        ("print(N)", "the call of 'print' is refused"),
        ("A*__N", "the name '__N' is refused"),
        ("A*N**-is", "the name 'is' is refused"),
        ("A*N[0]", r"the character '\[' is refused"),
    ],
)
def test_what_is_refused_is_named(text, message):
    with pytest.raises(LimitError, match=message):
        parse_law(text)


def test_a_long_piece_is_cut_in_a_message():
    with pytest.raises(UsageError) as error:
        parse_law("A*(" + "N + " * 60 + "N")
    assert "..." in str(error.value)
    assert len(str(error.value)) < 250


# --- what is read


@pytest.mark.parametrize(
    ("text", "known"), [(CHINCHILLA, "chinchilla"), (KAPLAN, "kaplan"), (SHARE, "share")]
)
def test_a_law_of_the_catalogue_given_as_text_is_that_law(text, known):
    law, original = parse_law(text), laws.get(known)
    assert law.resources == original.resources
    read = {p.name: (p.role, p.meaning, p.unit) for p in law.parameters if p.role is not Role.SHAPE}
    for p in original.parameters:
        assert p.name not in read or read[p.name] == (p.role, p.meaning, p.unit)
    assert roles(law) == roles(original)
    assert law.chart.names == original.chart.names
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = at_random(law, rng)
        np.testing.assert_allclose(law.loss(**values), original.loss(**values), rtol=TOLERANCE)


CLOSED = [law for law in laws.catalogue().values() if isinstance(law, Law)]


@pytest.mark.parametrize("law", CLOSED, ids=lambda law: law.name)
def test_a_formula_is_read_back_from_its_text(law):
    text = law.formula_text()
    if len(text) > MOST_CHARACTERS or " = " in text:
        pytest.skip("longer than what is read, or not a closed formula")
    line, tree, names = _read(text)
    by_name = {str(symbol): symbol for symbol in law.formula.free_symbols}
    assert set(names) == set(by_name)
    formula = _built(tree, line, by_name)
    rng = np.random.default_rng(1)
    finite = 0
    for _ in range(20):
        values = at_random(law, rng)
        with np.errstate(all="ignore"):
            want = evaluate(law.formula, values)
        if np.isfinite(want):
            finite += 1
            np.testing.assert_allclose(evaluate(formula, values), want, rtol=1e-9)
    assert finite


@pytest.mark.parametrize("text", [CHINCHILLA, KAPLAN, SHARE, "E + A*N**-0.5 + B/sqrt(D)"])
def test_reading_a_law_twice_changes_nothing(text):
    law = parse_law(text)
    again = parse_law(law.formula_text())
    assert set(again.parameters) == set(law.parameters)
    assert sympy.simplify(again.formula - law.formula) == 0
    assert again.formula_text() == law.formula_text()


@pytest.mark.parametrize(
    "name",
    ["E", "I", "S", "Q", "O", "beta", "gamma", "zeta", "lambda", "pi", "C1", "Symbol", "oo", "nan"],
)
def test_names_that_sympy_reserves_are_names_like_any_other(name):
    law = parse_law(f"floor_ + {name}*N**-a")
    assert roles(law) == {"floor_": "floor", name: "amplitude", "a": "exponent"}
    assert parse_law(law.formula_text()).formula == law.formula
    assert float(law.loss(N=2.0, **{"floor_": 1.0, name: 3.0, "a": 1.0})) == pytest.approx(2.5)


def test_lambda_is_a_name_even_where_its_stand_in_is_one():
    law = parse_law("lambda + L00000*N**-lambdas")
    assert roles(law) == {"lambda": "floor", "L00000": "amplitude", "lambdas": "exponent"}


def test_symbols_that_name_resources_elsewhere_are_parameters_here():
    assert "B" in RESOURCES
    assert [r.name for r in parse_law(CHINCHILLA).resources] == ["N", "D"]


def test_columns_are_resources_when_asked_for():
    columns = ["epochs", "D", "bits", "N", "unused"]
    law = parse_law("E + A*epochs**-a + B*bits**-b + K*N**-k", resources=columns, name="mine")
    assert law.name == "mine"
    assert [r.name for r in law.resources] == ["N", "epochs", "bits"]
    assert law.resources[1].meaning == "epochs"
    assert law.resources[1].unit == "units of the column"
    assert law.resources[2] is RESOURCES["bits"]


def test_a_name_not_asked_for_as_a_resource_is_a_parameter():
    assert roles(parse_law("E + C*N**-a", resources=["N"]))["C"] == "amplitude"


def test_what_a_user_gave_is_said():
    law = parse_law(CHINCHILLA)
    assert (law.name, law.title, law.source, law.citation) == (
        "user",
        "user's law",
        "given as text",
        "",
    )
    assert {r.name: str(weight) for r, weight in law.weights.items()} == {"N": "alpha", "D": "beta"}
    assert law.floor is law.parameters[0]


def test_parameters_come_floor_first_then_amplitudes_exponents_shapes():
    law = parse_law("((a*N**-x)**q + (b*D**-y)**q)**(1/q) + floor_")
    assert [p.name for p in law.parameters] == ["floor_", "a", "b", "x", "y", "q"]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("A*N**-a", {"A": "amplitude", "a": "exponent"}),
        ("E + A/N", {"E": "floor", "A": "amplitude"}),
        ("E + (K/N)**a", {"E": "floor", "K": "amplitude", "a": "exponent"}),
        ("E + A*(1 + N/M)**-a", {"A": "amplitude", "M": "shape", "a": "shape"}),
        ("E + (A*N**-a + B*D**-b)**g", {"a": "exponent", "b": "exponent", "g": "shape"}),
        ("E + A*N**-a*exp(-D/M)", {"A": "amplitude", "a": "exponent", "M": "shape"}),
        ("E + A*max(N**-a, b*D**-c)", {"a": "exponent", "c": "exponent", "b": "shape"}),
        ("E + q*A*N**-(a*q)", {"A": "amplitude", "a": "exponent", "q": "exponent"}),
    ],
)
def test_the_roles_follow_from_the_formula(text, want):
    assert roles(parse_law(text)).items() >= want.items()


def test_an_amplitude_of_several_resources_says_so():
    law = parse_law("E + A*N**-a*D**-a")
    meaning = {p.name: p.meaning for p in law.parameters}
    assert meaning["A"] == "amplitude of the model size and training data term"
    assert meaning["a"] == "exponent of the loss in model size and training data"


def test_a_short_decimal_is_a_fraction_and_another_stays_a_decimal():
    formula = parse_law("A*N**-0.1 + 2.5e-3*B*D**-b").formula
    assert sympy.Rational(-1, 10) in formula.atoms(sympy.Rational)
    assert formula.atoms(sympy.Float) == {sympy.Float(0.0025)}
    assert parse_law("A*N**-0.339").formula_text() == "A/N**0.339"


def test_a_number_to_the_power_of_a_fine_fraction_takes_no_time():
    started = time.perf_counter()
    for power in ("1.0000001", "(1 + 1e-99)", "(123456789/123456788)"):
        assert expression(f"sqrt(max(99.99**{power}, 7*N))").free_symbols
        assert expression(f"((1/3 + 1e-99)/N)**{power}/N").free_symbols
    assert time.perf_counter() - started < 5.0  # SymPy factors such numbers for minutes


def test_the_larger_of_what_may_be_complex_is_refused():
    with pytest.raises(UsageError, match="not a real number"):
        parse_law("A*N*max((-exp(x) - log(3))**0.3, N)")


@pytest.mark.parametrize("left", ["L = ", "L=", "  L\n=\n"])
def test_the_left_side_may_be_written(left):
    assert parse_law(left + CHINCHILLA).formula == parse_law(CHINCHILLA).formula


@pytest.mark.parametrize("name", ["Min", "min", "MAX", "Exp", "LOG", "Sqrt"])
def test_functions_are_read_in_any_case(name):
    assert parse_law(f"A*{name}(N + 1)").formula.free_symbols


@pytest.mark.parametrize("text", ["chinchilla", "power_D", "power-D", " share ", "E"])
def test_a_name_is_no_expression(text):
    assert not looks_like_expression(text)


@pytest.mark.parametrize("text", [CHINCHILLA, "A*N", "L=E", "(N)", "A N", "A/N", "N^2", "a.b"])
def test_a_formula_is_an_expression(text):
    assert looks_like_expression(text)


# --- any formula means what Python says it means

NAMES = {"N": 1.7, "D": 0.6, "lambda": 2.3, "E": 0.9, "beta": 1.1}
FUNCTIONS = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt, "Min": min, "max": max}
SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> tuple[str, float]:
    """A formula and its value; NaN where it has none."""
    kind = draw(st.integers(0, 6)) if depth else draw(st.integers(0, 1))
    if kind == 0:
        return draw(st.sampled_from([*NAMES.items()]))
    if kind == 1:
        number = draw(st.one_of(st.integers(1, 40), st.floats(0.01, 50.0)))
        return repr(number), float(number)
    text, value = draw(formulas(depth=depth - 1))
    if kind == 2:
        return f"(-{text})", -value
    if kind == 3:
        power = draw(st.sampled_from([-2, -1, 0.5, 2, 3]))
        return f"({text})**{power}", _real(operator.pow, value, power)
    if kind == 4:
        name = draw(st.sampled_from(["exp", "log", "sqrt"]))
        return f"{name}({text})", _real(FUNCTIONS[name], value)
    other, second = draw(formulas(depth=depth - 1))
    if kind == 5:
        name = draw(st.sampled_from(["Min", "max"]))
        return f"{name}({text}, {other})", _real(FUNCTIONS[name], value, second)
    sign = draw(st.sampled_from([*SIGNS]))
    return f"({text} {sign} {other})", _real(SIGNS[sign], value, second)


def _real(operation: Callable, *values: float) -> float:
    try:
        result = operation(*values)
    except (ArithmeticError, ValueError):
        return math.nan
    real = isinstance(result, float) and not any(map(math.isnan, values))
    return result if real and 1e-9 < abs(result) < 1e9 else math.nan


@settings(max_examples=200, deadline=None, derandomize=True)
@given(formulas())
def test_a_formula_means_what_python_says_it_means(formula):
    text, want = formula
    assume(not math.isnan(want))
    got = evaluate(expression(text), NAMES)
    # The terms of a sum may cancel here, which those of a law do not.
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_number_in_place_of_the_floor_holds_it():
    law = parse_law("1.6 + A*N**-alpha + B*D**-beta")
    assert law.floor is not None
    assert (law.floor.name, law.floor.held) == ("E", 1.6)
    assert law.formula_text() == parse_law("E + A*N**-alpha + B*D**-beta").formula_text()
    model = Model.at(law, pivot={"N": 1e8, "D": 1e10})
    assert model.fixed == {"E": 1.6}
    assert Model.from_dict(model.to_dict()).priors == model.priors
    assert "E" in Model.at(law, pivot={"N": 1e8, "D": 1e10}, prior={"E": Prior.around(2, 0.1)}).free
    other = parse_law("2 + E*N**-alpha").floor
    assert other is not None
    assert (other.name, other.held) == ("L_inf", 2.0)


def test_a_column_raised_to_a_power_is_a_covariate():
    law = find_law("E + K/N**a/X**b", columns=["N", "X", "K", "loss"])
    assert [(r.name, r.is_covariate) for r in law.resources] == [("N", False), ("X", True)]
    assert [p.name for p in law.parameters] == ["E", "K", "a", "b"]
    at = {"E": 1.5, "K": 100.0, "a": 0.3, "b": 0.2}
    want = 1.5 + 100.0 * 1e8**-0.3 * 4.0**-0.2
    assert float(law.loss(N=1e8, X=4.0, **at)) == pytest.approx(want, rel=1e-12)
    model = Model.at(law, pivot={"N": 1e8, "X": 4.0})
    assert Model.from_dict(model.to_dict()).law == law
