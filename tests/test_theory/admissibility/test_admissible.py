"""Conditions of admissibility: what must be proved, what must be refuted, and that no one errs.

Every refutation is computed again here, with mpmath from the law's formula, and every proof is
put to the test in double precision.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy

from theory import laws
from theory.admissibility import admissible, evidence
from theory.admissibility.sampling import draw_log_resources, draw_parameters
from theory.admissibility.verdict import Status, Verdict
from theory.declaration import symbols as s
from theory.declaration.abstract_law import KERNEL
from theory.declaration.contour import ContourLaw
from theory.declaration.forward import ForwardLaw
from theory.declaration.law import Law
from theory.declaration.links import Odds
from theory.declaration.symbols import D, N
from theory.declaration.terms import limit
from theory.errors import LawError

CODES = tuple(admissible.conditions())
CATALOGUE = list(laws.catalogue().values())
FORMULAS = [law for law in CATALOGUE if not isinstance(law, ForwardLaw)]
"""Laws that are not given by a program, of which little can be proved."""
HOLDS = (Status.PROVED, Status.SUPPORTED)

E, L_0 = s.floor(), s.cap()
N_c, D_c = s.scale("N_c", of=N), s.scale("D_c", of=D)
F = s.amplitude("F", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
n, d = N_c / N, D_c / D
ONE = sympy.Integer(1)


class Verdicts(dict):
    """Law -> code -> verdict, each law checked once and when it is asked for."""

    def __missing__(self, name):
        self[name] = {v.code: v for v in admissible.check(laws.get(name))}
        return self[name]


@pytest.fixture(scope="module")
def verdicts():
    """Verdicts on the laws of the catalogue."""
    return Verdicts()


def every(cases):
    return pytest.mark.parametrize("law", cases, ids=lambda law: law.name)


def holding(found):
    return "".join(
        "p" if v.status is Status.PROVED else "s" if v.status in HOLDS else "-" for v in found
    )


# --- the catalogue


@every(CATALOGUE)
def test_nothing_that_a_law_claims_is_refuted(law, verdicts):
    refuted = [
        verdicts[law.name][c].detail
        for c in law.claims
        if verdicts[law.name][c].status not in HOLDS
    ]
    assert refuted == []


@every(CATALOGUE)
def test_every_condition_is_decided_once_and_a_refutation_has_a_witness(law, verdicts):
    assert tuple(verdicts[law.name]) == CODES
    for verdict in verdicts[law.name].values():
        assert verdict.detail.endswith(".")
        if verdict.status is Status.REFUTED:
            assert {"found", "allowed"} < set(verdict.witness)
            assert verdict.point


@pytest.mark.parametrize(
    ("name", "proved", "holds", "refuted"),
    [
        # Table of THEORY_LAWS 1.6. Kaplan: rho_D = 1 but rho_N = alpha_N/alpha_D.
        ("kaplan", "A0 A1 A2 A3", "A5", "A4 A6"),
        ("chinchilla", "A0 A1 A2 A3", "", "A4 A5 A6"),
        ("harmonic", "A0 A1 A2 A3", "A4 A5", "A6"),
        ("width_limited", "A0 A1 A2 A3", "A4 A5", "A6"),
        ("share", "A0 A1 A2 A3", "", "A4 A5 A6"),
        ("bounded", "A0 A1 A2 A3", "A6", "A4 A5"),
        ("random_features", "A0", "A1 A2 A3 A4", "A6"),
        ("product", "A0 A2 A3", "", "A1"),
        ("overfitting", "A0 A3", "A6", "A1 A2"),
        ("ridgeless", "A0", "A1", "A2 A3"),
        ("farseer", "", "", "A0"),
        ("transfer", "A0 A2 A3", "", "A1"),
        ("broken_1", "", "A1 A2", "A0 A3"),
        ("shifted_power", "A2 A3", "A1", "A0"),
    ],
)
def test_the_verdicts_are_those_of_the_theory(name, proved, holds, refuted, verdicts):
    found = verdicts[name]
    assert {c: found[c].status for c in proved.split()} == dict.fromkeys(proved.split(), "proved")
    assert all(found[c].status in HOLDS for c in holds.split())
    assert {c: found[c].status for c in refuted.split()} == dict.fromkeys(
        refuted.split(), "refuted"
    )


def test_kaplan_is_not_variance_limited_because_of_the_model_size(verdicts):
    verdict = verdicts["kaplan"]["A4"]
    assert verdict.detail.startswith("N approaches its limit with the exponent alpha_N/alpha_D")
    ratio = verdict.point["alpha_N"] / verdict.point["alpha_D"]
    assert float(ratio) == pytest.approx(float(verdict.witness["found"]), rel=1e-12)
    assert float(ratio) not in (0.5, 1.0)


def test_no_law_of_the_catalogue_satisfies_all_nine_conditions(verdicts):
    full = [
        law.name for law in FORMULAS if all(v.status in HOLDS for v in verdicts[law.name].values())
    ]
    assert full == []


def test_what_is_known_of_one_size_says_nothing_of_approaches(verdicts):
    for name in ("power", "pure_power", "sigmoid"):
        assert verdicts[name]["A4"].status is Status.UNKNOWN
        assert verdicts[name]["A5"].status is Status.UNKNOWN


# --- hand-made laws, right and wrong


def declare(kernel=None, *, link="odds", weights="one", parameters=None, **changes):
    """A law in N and D under the odds link, so that only its kernel is on trial."""
    symbols = {p.symbol: p for p in (E, L_0, N_c, D_c, F, alpha, beta)}
    used = (kernel if kernel is not None else changes["contour"]).free_symbols
    floor_only = link == "identity"
    inside = [E] if floor_only else [E, L_0]
    inside += [p for q, p in symbols.items() if q in used and p not in (E, L_0)]
    declaration = {
        "name": "hand_made",
        "title": "",
        "resources": (N, D),
        "parameters": tuple(parameters or inside),
        "floor": E,
        "link": None if floor_only else Odds(E, L_0),
        "weights": dict.fromkeys((N, D), ONE) if weights == "one" else weights,
        "source": "",
        "citation": "",
        **changes,
    }
    if kernel is None:
        return ContourLaw(**declaration)
    if floor_only:
        return Law(formula=E + kernel, **declaration)
    return Law(kernel=kernel, **declaration)


HALVES = sympy.Rational(3, 2)
SPREADING = {N: sympy.Rational(3, 4), D: ONE}

HAND_MADE = {
    # Kaplan's form at equal exponents is the harmonic law: all nine hold.
    "right": (declare((n + d) ** alpha.symbol, weights=dict.fromkeys((N, D), alpha.symbol)), ""),
    # The harmonic law at unequal exponents, as a contour.
    "right contour": (
        declare(
            contour=n * KERNEL ** (-ONE / alpha) + d * KERNEL ** (-ONE / beta),
            weights={N: alpha.symbol, D: beta.symbol},
        ),
        "",
    ),
    # Twice the exponent of N: sum e_i/alpha_i = 1 - e_N/(2 alpha).
    "wrong weights": (
        declare((n + d) ** alpha.symbol, weights={N: 2 * alpha, D: alpha.symbol}),
        "A0",
    ),
    # The same without the odds link.
    "unbounded": (
        declare(
            (n + d) ** alpha.symbol, link="identity", weights=dict.fromkeys((N, D), alpha.symbol)
        ),
        "A6",
    ),
    # N approaches with 3/4, which is neither 1 nor 1/2; D with 1.
    "not variance-limited": (declare(n ** sympy.Rational(3, 4) + d, weights=SPREADING), "A4"),
    # Additive with general exponents: both approach with them.
    "additive": (
        declare(n**alpha.symbol + d**beta.symbol, weights={N: alpha.symbol, D: beta.symbol}),
        "A4 A5",
    ),
    # n + d, and a power mean of the two that adds d^(3/2)/sqrt(n) and n^(3/2)/sqrt(d): each size
    # still approaches with 1, but the loss is not analytic.
    "not analytic": (declare(n + d + (n**HALVES + d**HALVES) ** (1 / HALVES)), "A5"),
    # 1/(N D): without a limit, since either size alone sends it to 0; approach with 1.
    "product": (declare(F / (N * D.symbol), weights={N: 2 * ONE, D: 2 * ONE}), "A1"),
    # F N/D^2 has degree 1 but rises with N, so D has no limit, which N then does not approach.
    # Growing, it has no limit to approach, so A4 is not decided.
    "rising": (declare(n + d + F * N / D.symbol**2), "A1 A2"),
    # W = (1 + x^2)/(1 + x) falls from 1 to 0.83 and rises: not monotone, hence (with both limits)
    # not convex.
    "double descent": (declare((n**2 + d**2) / (n + d)), "A2 A3"),
    # W = (1 + x)^3/(1 + x^2): F = 3 x/(1 + x) - 2 x^2/(1 + x^2) lies in [0, 1] but is 0.6 at
    # x = 1/2 and 0.4 at x = 2.
    "not convex": (declare((n + d) ** 3 / (n**2 + d**2)), "A3"),
    # The pole of double descent: rises before it, and a chord over it lies below.
    "pole": (declare(sympy.Max(n, d) / (1 - sympy.Min(n / d, d / n))), "A2 A3"),
    # 1/N + D_c/D: the unit of N stands nowhere else.
    "without an amplitude": (declare(1 / N + d), "A7"),
    # n (1 + ln N) + d: no exponents; ln(1 + ln N) is concave; the slope of n ln N is -1 only up to
    # 1/ln N; the unit of N adds a constant to the logarithm.
    "log-corrected": (declare(n * (1 + sympy.log(N.symbol)) + d, weights=None), "A0 A3 A4 A7"),
    # n - d: negative where d > n, so there is no limit of D; rises with D; ln(n - d) is concave;
    # with n = 0 there is nothing to approach (A4 unknown).
    "difference": (declare(n - d), "A1 A2 A3 A8"),
}

BREAK = s.position("D_1", of=D)
HAND_MADE["steepening"] = (
    # A broken power law from slope 1 to slope 2: -ln(1 + D/D_1) is concave.
    declare(
        d / (1 + D / BREAK),
        resources=(D,),
        weights=None,
        parameters=[E, L_0, D_c, BREAK],
    ),
    "A0 A3",
)


@pytest.fixture(scope="module")
def hand_made():
    return {
        name: {v.code: v for v in admissible.check(law)} for name, (law, _) in HAND_MADE.items()
    }


@pytest.mark.parametrize("name", HAND_MADE)
def test_a_wrong_law_is_refuted_by_what_it_violates_and_by_nothing_else(name, hand_made):
    refuted = {c for c, v in hand_made[name].items() if v.status is Status.REFUTED}
    assert refuted == set(HAND_MADE[name][1].split())


@pytest.mark.parametrize("name", ["right", "right contour"])
def test_a_law_that_satisfies_all_nine_is_found_to(name, hand_made):
    assert all(verdict.status in HOLDS for verdict in hand_made[name].values())
    assert all(
        hand_made[name][c].status is Status.PROVED for c in ("A0", "A1", "A2", "A3", "A4", "A5")
    )


def test_a_difference_has_no_limit_in_the_size_that_is_subtracted(hand_made):
    assert hand_made["difference"]["A4"].status is Status.UNKNOWN
    assert hand_made["difference"]["A0"].status is Status.PROVED


# --- refutations, computed again


def precise(law):
    """``ln kernel`` as a function of a shift of each log size, at a witness, for mpmath."""
    quantities = (*law.resources, *law.parameters)
    function = sympy.lambdify([q.symbol for q in quantities], law.kernel, "mpmath")

    def log_kernel(witness, shifts):
        at = [mpmath.mpf(str(witness[q.name])) for q in quantities if q.name in witness]
        names = [q.name for q in quantities]
        values = dict(zip([m for m in names if m in witness], at, strict=True))
        for name, by in shifts.items():
            values[name] *= mpmath.exp(by)
        # The link's own parameters do not stand in the kernel.
        return mpmath.log(function(*(values.get(m, mpmath.mpf(1)) for m in names)))

    return log_kernel


@pytest.fixture(scope="module")
def refutations(verdicts, hand_made):
    """Code -> (law, verdict) of every closed law with this refutation, made by hand or not."""
    known = [(law, verdicts[law.name]) for law in FORMULAS]
    known += [(law, hand_made[name]) for name, (law, _) in HAND_MADE.items()]
    return {
        code: [
            (law, found[code])
            for law, found in known
            if isinstance(law, Law) and found[code].status is Status.REFUTED
        ]
        for code in CODES
    }


def along(log_kernel, verdict, name, start=None):
    """``ln kernel`` along one log size from a witness, or from a place shifted by `start`."""
    start = start or {}
    return lambda by: log_kernel(verdict.point, {**start, name: start.get(name, 0) + by})


def slope(function, h="1e-15"):
    h = mpmath.mpf(h)
    return (function(h) - function(-h)) / (2 * h)


def weight_at(law, resource, witness):
    expr = sympy.sympify(law.weights[resource])
    values = {q.symbol: witness[q.name] for q in (*law.parameters, *law.resources)}
    return mpmath.mpf(str(sympy.N(expr.subs(values), 40)))


def test_every_refuted_scaling_equation_fails_at_its_witness(refutations):
    checked = 0
    for law, verdict in refutations["A0"]:
        log_kernel = precise(law)
        with mpmath.workdps(50):
            slopes = {r.name: -slope(along(log_kernel, verdict, r.name)) for r in law.resources}
            if law.weights is not None:
                total = sum(
                    slopes[r.name] / weight_at(law, r, verdict.point) for r in law.resources
                )
                assert abs(total - 1) > 1e-9, law.name
                assert float(total) == pytest.approx(float(verdict.witness["found"]), rel=1e-5)
            else:  # some combination fits each point alone, none fits several
                rows = [[*slopes.values(), mpmath.mpf(1)]]
                determinants = []
                for far in (-9, -5, 5, 9):
                    moved = [
                        [
                            *(
                                -slope(along(log_kernel, verdict, r.name, {o.name: far}))
                                for r in law.resources
                            ),
                            mpmath.mpf(1),
                        ]
                        for o in law.resources
                    ]
                    determinants.append(abs(mpmath.det(mpmath.matrix([*rows, *moved]))))
                assert max(determinants) > 1e-9, law.name
        checked += 1
    assert checked >= 9


def test_every_refuted_limit_is_not_reached_at_its_witness(refutations):
    checked = 0
    for law, verdict in refutations["A1"]:
        log_kernel = precise(law)
        (kept,) = [r for r in law.sizes if f"every size but {r.name} infinite" in verdict.detail]
        others = [r.name for r in law.sizes if r != kept]
        with mpmath.workdps(50):
            values = []
            for back in (0, -5000):
                found = log_kernel(verdict.point, dict.fromkeys(others, mpmath.mpf(back)))
                values.append(found)
            nonpositive = any(mpmath.im(found) != 0 for found in values)
            assert nonpositive or abs(values[0] - values[1]) > 1, law.name
        checked += 1
    assert checked >= 6


def test_every_refuted_monotonicity_fails_at_its_witness(refutations):
    checked = 0
    for law, verdict in refutations["A2"]:
        log_kernel = precise(law)
        (name,) = [r.name for r in law.sizes if f"rises with {r.name}:" in verdict.detail]
        with mpmath.workdps(50):
            found = slope(along(log_kernel, verdict, name))
            assert found > 0, law.name
            assert float(found) == pytest.approx(float(verdict.witness["found"]), rel=1e-5)
        checked += 1
    assert checked >= 6


def test_every_refuted_convexity_fails_on_a_chord_at_its_witness(refutations):
    checked = 0
    for law, verdict in refutations["A3"]:
        log_kernel = precise(law)
        along = verdict.detail.split(" along ")[1].rstrip(".").split(", ")
        direction = {part.split(" in ln ")[1]: part.split(" in ln ")[0] for part in along}
        with mpmath.workdps(50):
            found = []
            for step in ("0.02", "1"):  # a narrow and a wide chord
                h = mpmath.mpf(step)
                at = [
                    log_kernel(
                        verdict.point, {k: sign * h * mpmath.mpf(v) for k, v in direction.items()}
                    )
                    for sign in (1, 0, -1)
                ]
                found.append((at[0] - 2 * at[1] + at[2]) / h**2)
            # The direction is printed with three digits.
            want = float(verdict.witness["found"])
            assert any(
                bend < 0 and float(bend) == pytest.approx(want, rel=0.05)
                for bend in found
                if mpmath.im(bend) == 0
            ), law.name
        checked += 1
    assert checked >= 8


def test_every_refuted_bound_is_a_loss_that_still_grows(refutations):
    checked = 0
    for law, verdict in refutations["A6"]:
        quantities = (*law.resources, *law.parameters)
        function = sympy.lambdify([q.symbol for q in quantities], law.formula, "mpmath")
        with mpmath.workdps(60):
            at = {q.name: mpmath.mpf(str(verdict.point[q.name])) for q in quantities}
            here = function(*at.values())
            shrunk = {r.name: at[r.name] * mpmath.exp(-100) for r in law.sizes}
            there = function(*{**at, **shrunk}.values())
            assert there > here > 50, law.name  # no vocabulary has e^50 tokens
        checked += 1
    assert checked >= 25


def test_every_refuted_positivity_is_not_a_positive_number_at_its_witness(refutations):
    assert refutations["A8"]
    for law, verdict in refutations["A8"]:
        with mpmath.workdps(50):
            assert mpmath.im(precise(law)(verdict.point, {})) != 0


# --- proofs, put to the test


def proved(law, code, found):
    if found[law.name][code].status is not Status.PROVED:
        pytest.skip(f"{code} of {law.name} is not proved")


@every(CATALOGUE)
def test_a_proved_monotonicity_and_convexity_hold_at_random_points(law, verdicts):
    rng = np.random.default_rng(17)
    names = [r.name for r in law.sizes]
    for _ in range(4):
        draw = draw_parameters(law, rng)
        at = draw_log_resources(law, draw, rng, reach=25.0, count=50)
        here = law.log_kernel(draw.parameters, at, np)
        rounding = 1e-11 * (1 + np.abs(here))
        if verdicts[law.name]["A2"].status is Status.PROVED:
            for name in names:
                more = law.log_kernel(draw.parameters, {**at, name: at[name] + 0.5}, np)
                assert np.all(more <= here + rounding), name
        if verdicts[law.name]["A3"].status is Status.PROVED:
            along = {name: rng.standard_normal(50) for name in names}
            ends = [
                law.log_kernel(
                    draw.parameters, {k: v + h * along.get(k, 0.0) for k, v in at.items()}, np
                )
                for h in (1.0, -1.0)
            ]
            assert np.all(ends[0] + ends[1] >= 2 * here - 4 * rounding)
        if verdicts[law.name]["A8"].status is Status.PROVED:
            assert np.all(np.isfinite(here))


@every(CATALOGUE)
def test_a_proved_scaling_equation_holds_for_the_slopes_of_the_compiled_law(law, verdicts):
    proved(law, "A0", verdicts)
    weights = law.weights
    if weights is None:
        pytest.skip("the law declares no weights")
    rng = np.random.default_rng(18)
    draw = draw_parameters(law, rng)
    at = draw_log_resources(law, draw, rng, reach=6.0, count=5)
    parameters = {name: jnp.asarray(v) for name, v in draw.parameters.items()}
    values = {
        p.symbol: float(v) for p in law.parameters for v in [law.values(draw.parameters)[p.name]]
    }

    def total(place):
        return jnp.sum(law.log_kernel(parameters, place, jnp))

    slopes = jax.grad(total)({name: jnp.asarray(column) for name, column in at.items()})
    for j in range(5):
        sizes = {r.symbol: float(np.exp(at[r.name][j])) for r in law.resources}
        inverse = {
            r: 0.0 if a == sympy.oo else 1 / float(sympy.sympify(a).subs({**values, **sizes}))
            for r, a in weights.items()
        }
        assert -sum(float(slopes[r.name][j]) * inverse[r] for r in law.resources) == pytest.approx(
            1, abs=1e-9
        )


@every(CATALOGUE)
def test_a_proved_approach_is_the_one_that_is_measured(law, verdicts):
    if verdicts[law.name]["A4"].status is not Status.PROVED:
        pytest.skip("not proved")
    for size in law.sizes:
        first, _ = evidence.approach(law, size, seed=1).exponents
        assert first in (1.0, 0.5)
        assert first == 1.0 or size.unit == "parameters"


# --- limits that are approached slowly, and corrections that are steep


def test_a_limit_that_is_approached_slowly_is_a_limit():
    # An additive law from its scaling function, so that no rule sees its terms; at e^400 of the
    # other size its term is still e^-8 of the kernel.
    x = sympy.Symbol("x", positive=True)
    a, b = s.amplitude("A", of=N), s.amplitude("B", of=D)
    one, two = (s.exponent(q, of=r, typical=(0.02, 0.1)) for q, r in (("alpha", N), ("beta", D)))
    law = Law.from_generator(
        1 + x**two.symbol,
        x,
        limits=(limit(a, one, N), limit(b, two, D)),
        name="slow",
        title="",
        resources=(N, D),
        parameters=(E, a, b, one, two),
        floor=E,
        source="",
        citation="",
    )
    assert admissible.conditions()["A1"].decide(law).status is Status.SUPPORTED


@pytest.mark.parametrize("power", ["3/2", "9/5", "5/2"])
def test_a_second_exponent_that_is_not_an_integer_is_seen(power):
    # d + d^p n^(1-p): the correction to the leading 1 is p - 1.
    p = sympy.Rational(power)
    law = declare(n + d + d**p * n ** (1 - p))
    measured = evidence.approach(law, D, seed=0).exponents
    assert measured == pytest.approx((1.0, float(p) - 1), abs=1e-8)
    assert admissible.conditions()["A5"].decide(law).status is Status.REFUTED


def test_a_term_of_a_contour_must_fall_with_the_kernel():
    # A/(N ell) + B/D = 1 has no solution where B > D.
    with pytest.raises(LawError) as caught:
        declare(contour=n / KERNEL + d, weights=None)
    assert str(caught.value) == (
        f"law 'hand_made': the term '{d}' of the contour must have a negative power of the kernel "
        "as a factor, or the contour may have no solution."
    )


def test_a_proof_by_construction_is_quoted():
    law = replace(laws.chinchilla, formula=sympy.S.NaN, by_construction={"A3": "because I say so."})
    verdict = admissible.conditions()["A3"].test(law)
    assert (verdict.status, verdict.detail) == (Status.PROVED, "because I say so.")


# --- verdicts


@pytest.mark.parametrize(
    ("status", "witness"),
    [(Status.REFUTED, None), (Status.PROVED, {"N": sympy.Float(1)}), (Status.UNKNOWN, {})],
)
def test_a_refutation_and_nothing_else_carries_a_witness(status, witness):
    with pytest.raises(ValueError, match=r"^a refutation, and nothing else, carries a witness\.$"):
        Verdict("A0", status, "", witness)


def test_the_point_of_a_verdict_is_its_witness_without_the_words():
    verdict = Verdict("A2", Status.REFUTED, "", {"N": sympy.Float(3), "found": "1", "allowed": "0"})
    assert verdict.point == {"N": sympy.Float(3)}
    assert Verdict("A2", Status.PROVED, "").point == {}
