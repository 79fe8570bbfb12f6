"""The contract of every law in the catalogue, and what the named laws must equal."""

import math
import re
import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy

from theory import folder, laws
from theory.admissibility.sampling import draw_log_resources, draw_parameters
from theory.declaration.abstract_law import ADMISSIBLE, KERNEL, AbstractLaw
from theory.declaration.forward import ForwardLaw
from theory.declaration.logdomain import log_value, value
from theory.declaration.symbols import Role
from theory.declaration.terms import Generator
from theory.errors import UnknownLaw

CATALOGUE = list(laws.catalogue().values())
FORMULAS = [law for law in CATALOGUE if not isinstance(law, ForwardLaw)]
"""Laws that are not given by a program."""
SCALING = [law for law in CATALOGUE if law.weights is not None]
NESTED = [(child, parent) for child in CATALOGUE for parent in child.nests]
REFERENCES = Path(__file__).resolve().parents[3] / "bayescale" / "references.bib"

ROUNDING = 1e-12
"""A log loss is a few dozen roundings of numbers up to about 100 (logs of sizes to 1e30)."""

SLOPE_ROUNDING = 1e-10
"""A gradient passes through a few softmax weights; each costs some units in the last place."""

SAME = 1e-10
"""A law and the wider law of which it is a case differ by rounding only."""

NO_FLOOR = -1e9
"""Log of a term that is 0 in every sum."""


def every(cases):
    return pytest.mark.parametrize("law", cases, ids=lambda law: law.name)


def without_floor(law, parameters):
    return parameters if law.floor is None else {**parameters, law.floor.name: NO_FLOOR}


def jumps(law):
    """Whether a size stands in a minimum or maximum, so that the law is flat on one side."""
    sizes = {r.symbol for r in law.resources}
    return any(part.free_symbols & sizes for part in law.relation.atoms(sympy.Max, sympy.Min))


def huge(law):
    """Log of a size that counts as infinite, and whose ratio to a size is a number where needed."""
    return 500.0 if jumps(law) else 1e5


def sizes_from_1_to_1e30(law, rng, count):
    """Log resources, (point,): sizes over 30 decades, its ends among them, covariates as usual."""
    sizes = np.log(10) * np.array([0.0, 30.0, *rng.uniform(0, 30, 8)])
    return {
        r.name: rng.uniform(*np.log(r.typical), count)
        if r.is_covariate
        else rng.choice(sizes, count, replace=False)
        for r in law.resources
    }


def high_precision(law):
    """Log loss as a function of logs, by SymPy's mpmath functions and a bracketing root finder."""
    quantities = (*law.resources, *law.parameters)
    symbols = [q.symbol for q in quantities]
    relation = sympy.lambdify([KERNEL, *symbols], law.relation, "mpmath")
    loss = sympy.lambdify([KERNEL, *symbols], law.scale.loss(KERNEL), "mpmath")

    def log_loss(logs):
        log = {name: mpmath.mpf(v) for name, v in logs.items()}
        at = [mpmath.exp(log[q.name]) if q.symbol.is_positive else log[q.name] for q in quantities]
        if law.degree == 1:
            kernel = relation(None, *at)
        else:

            def miss(log_kernel):
                return mpmath.log(relation(mpmath.exp(log_kernel), *at))

            low, high = mpmath.mpf(-1), mpmath.mpf(1)
            while miss(low) < 0:
                low *= 2
            while miss(high) > 0:
                high *= 2
            kernel = mpmath.exp(mpmath.findroot(miss, (low, high), solver="anderson", tol=1e-90))
        return mpmath.log(loss(kernel, *at))

    return log_loss


def at_point(logs, i):
    return {name: float(np.broadcast_to(v, np.shape(v) or (i + 1,))[i]) for name, v in logs.items()}


# --- the contract of the whole catalogue


def test_the_catalogue_holds_the_laws_of_the_field_under_their_own_names():
    known = laws.catalogue()
    assert {"power", "power_D", "power_C", "chinchilla", "kaplan", "share"} <= set(known)
    assert len(known) >= 30
    assert all(law.name == name for name, law in known.items())
    assert all(getattr(laws, name) is law for name, law in known.items())
    assert all(laws.get(name) is law for name, law in known.items())
    assert set(dir(laws)) >= set(known)


def test_the_names_of_laws_and_of_what_else_a_module_holds_do_not_collide():
    modules = [import_module(f"theory.laws.{kind}") for kind in folder.names(laws)]
    declared = [law for module in modules for law in vars(module).values()]
    named = [law.name for law in declared if isinstance(law, AbstractLaw)]
    assert len(set(named)) == len(named)
    assert not set(named) & set(folder.names(laws))


def test_a_law_in_a_new_file_of_the_folder_is_in_the_catalogue(tmp_path, monkeypatch):
    source = """
        from dataclasses import replace
        from sympy import nan
        from theory.laws.one_size import power
        mine = replace(power, name="mine", title="of a new file", kernel=nan)
    """
    (tmp_path / "new_kind.py").write_text(dedent(source))
    monkeypatch.setattr(laws, "__path__", [*laws.__path__, str(tmp_path)])
    assert "new_kind" in folder.names(laws)
    assert laws.get("mine").title == "of a new file"
    assert "mine" in laws.catalogue()
    del sys.modules["theory.laws.new_kind"], laws.new_kind


def test_no_two_laws_have_the_same_formula():
    texts = [law.formula_text() for law in CATALOGUE]
    assert len(set(texts)) == len(texts)


@every(FORMULAS)
def test_a_formula_uses_exactly_the_declared_symbols(law):
    declared = {q.symbol for q in (*law.resources, *law.parameters)}
    used = law.scale.loss(KERNEL).free_symbols | law.relation.free_symbols
    assert used - {KERNEL} == declared
    if law.degree == 1:
        assert law.formula.free_symbols == declared


@every(CATALOGUE)
def test_a_law_says_what_it_is_and_where_it_comes_from(law):
    assert law.latex().startswith("L = ")
    assert "<" not in law.latex()
    assert "\\ell" not in law.latex() or law.degree == 0
    assert law.title
    assert law.source
    for quantity in (*law.resources, *law.parameters):
        assert quantity.meaning
        assert quantity.unit
    for parameter in law.parameters:
        assert (parameter.of in law.resources) == (parameter.role is Role.POSITION)
    assert set(law.by_construction) <= set(law.claims)
    assert set(law.claims) <= {f"A{i}" for i in range(9)}


@every(SCALING)
def test_weights_are_of_every_resource_and_infinite_for_covariates(law):
    assert list(law.weights) == list(law.resources)
    assert {r for r, w in law.weights.items() if w is sympy.oo} == {
        r for r in law.resources if r.is_covariate
    }


def test_a_law_without_weights_does_not_claim_the_scaling_equation():
    for law in CATALOGUE:
        scales = law.weights is not None or "A0" in law.by_construction
        assert scales == ("A0" in law.claims), law.name
    # Most of the catalogue is what the theory is about.
    assert len(SCALING) >= 30
    assert sum(set(ADMISSIBLE) <= set(law.claims) for law in CATALOGUE) >= 25


def test_every_citation_is_in_the_references_which_are_in_order():
    text = REFERENCES.read_text("utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)
    assert keys == sorted(set(keys))
    missing = {law.name: law.citation for law in CATALOGUE if law.citation not in {*keys, ""}}
    assert missing == {}
    # The one law of this project's own.
    assert [law.name for law in CATALOGUE if not law.citation] == ["crossover"]


def test_the_laws_that_were_not_checked_against_their_source_are_known():
    unverified = {law.name for law in CATALOGUE if not law.verified}
    assert unverified == {
        "abnar",
        "clark",
        "droppo",
        "farseer",
        "maximum",
        "parscale",
        "quantization",
        "rosenfeld",
    }


@every(FORMULAS)
def test_numpy_and_jax_give_the_same_log_loss(law):
    rng = np.random.default_rng(1)
    draw = draw_parameters(law, rng)
    resources = {
        r.name: rng.uniform(*(np.log(r.typical) if r.is_covariate else (0, 70)), 50)
        for r in law.resources
    }
    in_numpy = law.log_loss(draw.parameters, resources, np)
    in_jax = law.log_loss(
        {n: jnp.asarray(v) for n, v in draw.parameters.items()},
        {n: jnp.asarray(v) for n, v in resources.items()},
        jnp,
    )
    assert in_numpy.shape == in_jax.shape == (50,)
    assert in_jax.dtype == np.float64
    np.testing.assert_allclose(in_jax, in_numpy, rtol=ROUNDING, atol=ROUNDING)


@every(CATALOGUE)
def test_the_loss_is_the_link_of_the_kernel(law):
    rng = np.random.default_rng(8)
    draw = draw_parameters(law, rng)
    resources = draw_log_resources(law, draw, rng, reach=5.0, count=10)
    log_kernel = law.log_kernel(draw.parameters, resources, np)
    env = {**draw.parameters, KERNEL.name: log_kernel}
    log_loss = law.log_loss(draw.parameters, resources, np)
    np.testing.assert_allclose(log_loss, log_value(law.scale.loss(KERNEL), env, np), rtol=ROUNDING)
    again = log_value(law.scale.kernel(KERNEL), {**env, KERNEL.name: log_loss}, np)
    # Above the floor by at least e^-12 of the loss.
    np.testing.assert_allclose(again, log_kernel, rtol=0, atol=1e5 * ROUNDING)


@every(FORMULAS)
def test_log_loss_agrees_with_50_digit_arithmetic_at_resources_from_1_to_1e30(law):
    rng = np.random.default_rng(2)
    exact = high_precision(law)
    for _ in range(3):
        draw = draw_parameters(law, rng)
        resources = sizes_from_1_to_1e30(law, rng, 5)
        got = law.log_loss(draw.parameters, resources, np)
        assert np.all(np.isfinite(got))
        for i in range(5):
            with mpmath.workdps(50):
                want = float(exact({**draw.parameters, **at_point(resources, i)}))
            assert abs(got[i] - want) <= ROUNDING * max(1.0, abs(want))


@every(FORMULAS)
def test_the_gradient_agrees_with_50_digit_central_differences(law):
    rng = np.random.default_rng(3)
    exact = high_precision(law)
    draws = [draw_parameters(law, rng) for _ in range(3)]
    logs = {name: np.array([d.parameters[name] for d in draws]) for name in draws[0].parameters}
    resources = draw_log_resources(law, draws[0], rng, reach=8.0, count=3)

    def total(logs, resources):
        return jnp.sum(law.log_loss(logs, resources, jnp))

    gradients = jax.grad(total, argnums=(0, 1))(logs, resources)
    gradient, logs = gradients[0] | gradients[1], logs | resources
    assert set(gradient) == {q.name for q in (*law.resources, *law.parameters)}
    with mpmath.workdps(50):
        step = mpmath.mpf(10) ** -15
        for i in range(3):
            centre = at_point(logs, i)
            for name in logs:
                high, low = (
                    exact({**centre, name: mpmath.mpf(centre[name]) + h}) for h in (step, -step)
                )
                want = float((high - low) / (2 * step))
                got = gradient[name][i]
                assert abs(got - want) <= SLOPE_ROUNDING * max(1.0, abs(want)), name


@every([law for law in CATALOGUE if "A2" in law.claims])
def test_the_loss_falls_with_every_size(law):
    rng = np.random.default_rng(4)
    steps = np.linspace(-3, 3, 13)
    for _ in range(5):
        draw = draw_parameters(law, rng)
        at = draw.log_pivot
        for size in law.sizes:
            ladder = {**at, size.name: at[size.name] + steps}
            falls = np.diff(law.log_loss(draw.parameters, ladder, np))
            # Flat where another size is the scarcer one in a minimum or maximum.
            assert np.all(falls <= ROUNDING) if jumps(law) else np.all(falls < 0), size.name
        together = {**at, **{size.name: at[size.name] + steps for size in law.sizes}}
        assert np.all(np.diff(law.log_loss(draw.parameters, together, np)) < 0)


@every([law for law in SCALING if "A1" in law.claims])
def test_a_single_size_sets_the_kernel_with_its_weight_when_the_others_are_huge(law):
    rng = np.random.default_rng(5)
    for _ in range(5):
        draw = draw_parameters(law, rng)
        for size in law.sizes:
            at = {**draw.log_pivot, **{r.name: huge(law) for r in law.sizes}}
            low, high = (
                law.log_kernel(draw.parameters, {**at, size.name: log_size}, np)
                for log_size in (20.0, 30.0)
            )
            env = {**draw.parameters, **draw.log_pivot}
            want = value(sympy.sympify(law.weights[size]), env, np)
            # Logs of huge sizes are exact to 1e-11 of their own slope.
            assert (low - high) / 10 == pytest.approx(want, rel=1e-10), size.name


@every([law for law in SCALING if isinstance(law.split, Generator)])
def test_the_limits_of_a_generator_are_its_two_terms(law):
    rng = np.random.default_rng(9)
    draw = draw_parameters(law, rng)
    for size, term in zip(law.sizes, law.split.terms, strict=True):
        at = {**{r.name: 5e3 for r in law.sizes}, size.name: 20.0}
        want = term.log_value({**draw.parameters, size.name: 20.0}, np)
        assert law.log_kernel(draw.parameters, at, np) == pytest.approx(want, abs=5e3 * ROUNDING)


@every(SCALING)
def test_the_kernel_obeys_the_scaling_equation(law):
    # sum_i e_i / alpha_i = 1 with e_i = -d ln kernel / d ln R_i (THEORY_LAWS.md, section 0).
    rng = np.random.default_rng(6)
    step = 1e-4  # central difference: error step^2 ~ 1e-8
    for _ in range(3):
        draw = draw_parameters(law, rng)
        at = draw_log_resources(law, draw, rng, reach=8.0, count=5)
        total = 0.0
        for size in law.sizes:
            low, high = (
                law.log_kernel(draw.parameters, {**at, size.name: at[size.name] + h}, np)
                for h in (-step, step)
            )
            elasticity = (low - high) / (2 * step)
            weight = value(sympy.sympify(law.weights[size]), {**draw.parameters, **at}, np)
            total = total + elasticity / weight
        np.testing.assert_allclose(total, 1.0, atol=1e-7)


@every(SCALING)
def test_scaling_all_sizes_scales_the_kernel_exactly(law):
    # R_i -> lambda^(1/alpha_i) R_i takes the kernel to kernel/lambda: no step, no limit.
    rng = np.random.default_rng(10)
    for _ in range(3):
        draw = draw_parameters(law, rng)
        at = draw_log_resources(law, draw, rng, reach=5.0, count=5)
        env = {**draw.parameters, **at}
        for log_lambda in (-1.0, 0.7, 3.0):
            moved = {
                r.name: at[r.name] + log_lambda / value(sympy.sympify(law.weights[r]), env, np)
                for r in law.sizes
            }
            got = law.log_kernel(draw.parameters, {**at, **moved}, np)
            want = law.log_kernel(draw.parameters, at, np) - log_lambda
            np.testing.assert_allclose(got, want, rtol=10 * ROUNDING, atol=10 * ROUNDING)


HAS_FLOOR = [
    law
    for law in CATALOGUE
    if law.floor is not None and (law.weights is not None or "A1" in law.claims)
]


@every(HAS_FLOOR)
def test_the_floor_is_what_is_left_when_every_size_is_infinite(law):
    draw = draw_parameters(law, np.random.default_rng(7))
    infinite = {**draw.log_pivot, **{r.name: huge(law) for r in law.sizes}}
    got = law.log_loss(draw.parameters, infinite, np)
    # A bounded loss is a quotient: some roundings.
    assert got == pytest.approx(
        draw.parameters[law.floor.name], abs=1e-15 if law.scale.cap is None else 1e-14
    )


@every([law for law in CATALOGUE if law.scale.cap is not None])
def test_the_cap_is_what_is_left_without_any_training(law):
    draw = draw_parameters(law, np.random.default_rng(11))
    nothing = {r.name: -500.0 for r in law.sizes}
    got = law.log_loss(draw.parameters, nothing, np)
    assert got == pytest.approx(draw.parameters[law.scale.cap.name], abs=ROUNDING)


def test_nesting_relations_are_declared_between_laws_of_the_catalogue():
    assert len(NESTED) == 19
    for child, parent in NESTED:
        wider = laws.get(parent)
        known = {q.name for q in (*wider.resources, *wider.parameters)}
        assert set(child.nests[parent]) <= known
        assert set(child.resources) <= set(wider.resources)
        own = {q.symbol for q in (*child.resources, *child.parameters)}
        for given in child.nests[parent].values():
            assert sympy.sympify(given).free_symbols <= own
        # What is not given stands for itself.
        unnamed = known - set(child.nests[parent])
        assert unnamed <= {q.name for q in (*child.resources, *child.parameters)}


@pytest.mark.parametrize(
    ("law", "parent"), NESTED, ids=[f"{child.name}-{parent}" for child, parent in NESTED]
)
def test_a_law_is_the_wider_law_at_the_values_it_names(law, parent):
    rng = np.random.default_rng(12)
    wider = laws.get(parent)
    for _ in range(20):
        draw = draw_parameters(law, rng)
        resources = draw_log_resources(law, draw, rng, reach=10.0, count=1)
        env = {**draw.parameters, **resources}
        there = {}
        for q in (*wider.resources, *wider.parameters):
            given = sympy.sympify(law.nests[parent].get(q.name, q.symbol))
            if given == 0:
                there[q.name] = NO_FLOOR
            else:
                there[q.name] = (log_value if q.symbol.is_positive else value)(given, env, np)
        at = {r.name: there.pop(r.name) for r in wider.resources}
        got = wider.log_loss(there, at, np)
        want = law.log_loss(draw.parameters, resources, np)
        np.testing.assert_allclose(got, want, rtol=0, atol=SAME)


def test_an_unknown_law_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownLaw) as caught:
        laws.get("chinchila")
    message = str(caught.value)
    assert message.startswith("no law called 'chinchila'. Did you mean 'chinchilla'? Known: ")
    assert all(name in message for name in laws.catalogue())


def test_a_name_near_to_nothing_gets_no_guess():
    with pytest.raises(UnknownLaw, match=r"^no law called 'zzz'\. Known: .*chinchilla,"):
        laws.get("zzz")


# --- the named laws


GRID = [g.ravel() for g in np.meshgrid(np.logspace(2, 16, 29), np.logspace(2, 16, 29))]
"""N and D over 14 decades each."""

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


def test_chinchilla_is_the_published_formula():
    # arXiv:2203.15556, eq. (10), at the size of Chinchilla itself.
    got = laws.chinchilla.loss(N=70e9, D=1.4e12, **HOFFMANN)
    assert got == pytest.approx(1.69 + 406.4 / 70e9**0.34 + 410.7 / 1.4e12**0.28, rel=ROUNDING)


def test_kaplan_with_its_published_values_is_the_published_formula():
    # arXiv:2001.08361, eq. (1.5) and table 2.
    published = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    for n, d in [(1e6, 1e8), (1.5e9, 2.2e10), (1e12, 1e13)]:
        by_hand = ((6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d) ** 0.103
        assert laws.kaplan.loss(N=n, D=d, **published) == pytest.approx(by_hand, rel=ROUNDING)


def test_share_at_q_1_is_chinchilla_over_14_decades():
    n, d = GRID
    got = laws.share.loss(N=n, D=d, q=1.0, **HOFFMANN)
    by_hand = 1.69 + 406.4 * n**-0.34 + 410.7 * d**-0.28
    np.testing.assert_allclose(got, by_hand, rtol=ROUNDING)
    np.testing.assert_allclose(got, laws.chinchilla.loss(N=n, D=d, **HOFFMANN), rtol=ROUNDING)


def test_share_at_its_kaplan_point_is_kaplan_over_14_decades():
    # q = 1/alpha_D and no floor: the kappas are A^(1/alpha), B^(1/beta).
    n, d = GRID
    alpha_n, alpha_d, n_c, d_c = 0.076, 0.103, 6.4e13, 1.8e13
    got = laws.share.loss(
        N=n,
        D=d,
        E=1e-300,
        A=n_c**alpha_n,
        B=d_c**alpha_d,
        alpha=alpha_n,
        beta=alpha_d,
        q=1 / alpha_d,
    )
    by_hand = ((n_c / n) ** (alpha_n / alpha_d) + d_c / d) ** alpha_d
    np.testing.assert_allclose(got, by_hand, rtol=ROUNDING)
    kaplan = laws.kaplan.loss(N=n, D=d, N_c=n_c, D_c=d_c, alpha_N=alpha_n, alpha_D=alpha_d)
    np.testing.assert_allclose(got, kaplan, rtol=ROUNDING)


def test_share_tends_to_the_larger_loss_as_q_grows():
    n, d = GRID
    larger = np.maximum(406.4 * n**-0.34, 410.7 * d**-0.28)
    for q in (10.0, 1e3, 1e5):
        got = laws.share.loss(N=n, D=d, q=q, **{**HOFFMANN, "E": 1e-300})
        # max <= (a^q + b^q)^(1/q) <= 2^(1/q) max
        excess = np.log(got) - np.log(larger)
        assert np.all(excess > -ROUNDING)
        assert np.all(excess < math.log(2) / q + ROUNDING)


def test_each_law_tends_to_the_term_of_one_resource_in_its_own_units():
    n, d, huge = 1e8, 1e9, 1e300
    tiny = {"E": 1e-300}
    chinchilla = laws.chinchilla.loss(N=n, D=huge, **{**HOFFMANN, **tiny})
    assert chinchilla == pytest.approx(406.4 * n**-0.34, rel=ROUNDING)
    share = laws.share.loss(N=huge, D=d, q=1.3, **{**HOFFMANN, **tiny})
    assert share == pytest.approx(410.7 * d**-0.28, rel=ROUNDING)
    scales = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    assert laws.kaplan.loss(N=n, D=huge, **scales) == pytest.approx(
        (6.4e13 / n) ** 0.076, rel=ROUNDING
    )
    assert laws.kaplan.loss(N=huge, D=d, **scales) == pytest.approx(
        (1.8e13 / d) ** 0.103, rel=ROUNDING
    )


@pytest.mark.parametrize(("name", "resource"), [("power", "N"), ("power_D", "D"), ("power_C", "C")])
def test_the_power_law_is_written_in_its_own_resource(name, resource):
    got = laws.get(name).loss(**{resource: 1e7}, E=1.5, A=90.0, alpha=0.21)
    assert got == pytest.approx(1.5 + 90.0 * 1e7**-0.21, rel=ROUNDING)
