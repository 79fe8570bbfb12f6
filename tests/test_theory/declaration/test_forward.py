"""Laws given by a program: the same law as a formula, dynamics in time, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from theory import laws
from theory.admissibility import admissible
from theory.admissibility.precision import Precise
from theory.admissibility.verdict import Status
from theory.declaration import symbols as s
from theory.declaration.forward import ForwardLaw
from theory.errors import LawError
from theory.optimum import solve_allocation

ROUNDING = 1e-12
"""Relative; sums of a few terms in double precision."""

STEPS = 400
EULER = 3e-3
"""Midpoint-like steps of 0.05 in log time: relative error of the residual."""


def share_shape(parameters, log_resources):
    """The share law at q = 1.2 over its model term's amplitude."""
    n = -jnp.exp(parameters["alpha"]) * log_resources["N"]
    d = parameters["ratio"] - jnp.exp(parameters["beta"]) * log_resources["D"]
    return jnp.logaddexp(1.2 * n, 1.2 * d) / 1.2


def decay(parameters, log_resources):
    """Residual after a time t of ``dr/dt = -r^(1 + 1/alpha)``, in steps of log(1 + t)."""
    power = jnp.exp(-parameters["alpha"])
    width = jnp.logaddexp(0.0, log_resources["t"]) / STEPS

    def step(log_r, i):
        middle = log_r - 0.5 * width * jnp.exp(power * log_r + width * i)
        return log_r - width * jnp.exp(power * middle + width * (i + 0.5)), None

    start = jnp.zeros(jnp.broadcast_shapes(power.shape, width.shape))
    return jax.lax.scan(step, start, jnp.arange(float(STEPS)))[0]


FLOOR, A = s.floor(), s.amplitude("A", of=s.N)
ALPHA, BETA = s.exponent("alpha", of=s.N), s.exponent("beta", of=s.D)
RATIO = s.shape("ratio", "amplitude of the data term over that of the model term")
WORDS = {"title": "", "source": "", "citation": ""}

SHARE = ForwardLaw(
    log_shape=share_shape,
    name="program",
    resources=(s.N, s.D),
    parameters=(FLOOR, A, ALPHA, BETA, RATIO),
    floor=FLOOR,
    **WORDS,
)
DECAY = ForwardLaw(
    log_shape=decay,
    name="decay",
    resources=(s.t,),
    parameters=(FLOOR, A, s.exponent("alpha", of=s.t)),
    floor=FLOOR,
    **WORDS,
)
VALUES = {"E": 1.7, "A": 400.0, "alpha": 0.34, "beta": 0.28}


def _sizes(count: int = 7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"N": 10 ** rng.uniform(6, 10, count), "D": 10 ** rng.uniform(8, 12, count)}


def test_a_program_is_the_law_that_it_computes() -> None:
    sizes = _sizes()
    got = SHARE.loss(**sizes, **VALUES, ratio=2.0)
    want = laws.share.loss(**sizes, **VALUES, B=800.0, q=1.2)
    np.testing.assert_allclose(got, want, rtol=ROUNDING)
    assert got.dtype == np.float64


def test_parameters_of_any_shape_broadcast_with_sizes() -> None:
    sizes = _sizes()
    alphas = np.array([0.3, 0.34])[:, None]
    both = SHARE.loss(**sizes, **{**VALUES, "alpha": alphas}, ratio=2.0)
    assert both.shape == (2, 7)
    np.testing.assert_allclose(both[1], SHARE.loss(**sizes, **VALUES, ratio=2.0), rtol=ROUNDING)


def test_jax_sees_the_same_law_and_its_gradient() -> None:
    sizes = {name: np.log(size) for name, size in _sizes().items()}
    parameters = SHARE.logs({**VALUES, "ratio": 2.0}, parameters_only=True)
    want = SHARE.log_loss(parameters, sizes, np)
    np.testing.assert_allclose(SHARE.log_loss(parameters, sizes, jnp), want, rtol=ROUNDING)

    def total(log_alpha, ops):
        return SHARE.log_loss({**parameters, "alpha": log_alpha}, sizes, ops).sum()

    slope = jax.grad(lambda at: total(at, jnp))(float(parameters["alpha"]))
    ends = [total(parameters["alpha"] + h, np) for h in (1e-6, -1e-6)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-7)


def test_numpy_calls_are_in_double_precision_wherever_jax_is_not() -> None:
    sizes = _sizes()
    want = SHARE.loss(**sizes, **VALUES, ratio=2.0)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(SHARE.loss(**sizes, **VALUES, ratio=2.0), want)
        assert not jax.config.jax_enable_x64


def test_dynamics_integrated_in_time_are_scipys() -> None:
    times = np.array([1.0, 30.0, 1e4])
    got = DECAY.loss(t=times, E=1.0, A=2.0, alpha=0.5)
    run = solve_ivp(lambda _, r: -(r**3), (0, 1e4), [1.0], t_eval=times, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got - 1.0, 2.0 * run.y[0], rtol=EULER)


def test_the_chart_turns_into_parameters_and_back() -> None:
    assert SHARE.chart.names == ("L_pivot", "floor_fraction", "alpha", "beta", "ratio")
    at = {"L_pivot": 2.5, "floor_fraction": 0.7, "alpha": 0.3, "beta": 0.4, "ratio": 5.0}
    log_pivot = {"N": np.log(1e8), "D": np.log(1e10)}
    parameters = SHARE.chart.to_parameters(at, log_pivot, np)
    natural = SHARE.values(parameters)
    assert float(SHARE.loss(N=1e8, D=1e10, **natural)) == pytest.approx(2.5, rel=ROUNDING)
    assert natural["E"] == pytest.approx(1.75, rel=ROUNDING)
    again = SHARE.chart.to_coordinates(parameters, log_pivot, np)
    assert {n: pytest.approx(v, rel=1e-11) for n, v in at.items()} == again


def test_it_prints_as_an_unknown_function() -> None:
    assert SHARE.formula_text() == "E + A*share_shape(N, D, alpha, beta, ratio)"
    assert SHARE.latex().startswith("L = E + A ")
    assert SHARE.claims == ()
    assert hash(SHARE) == hash(SHARE)


def test_nothing_is_proved_or_refuted_of_a_program() -> None:
    verdicts = admissible.check(SHARE)
    assert {v.status for v in verdicts} <= {Status.UNKNOWN, Status.SUPPORTED}
    assert "program in double precision" in verdicts[0].detail


def test_its_optimum_is_found_by_search() -> None:
    parameters = SHARE.logs({**VALUES, "ratio": 2.0}, parameters_only=True)
    got = solve_allocation(SHARE, parameters, np.log(1e21), {s.N: 1.0, s.D: 1.0})
    same = laws.share.logs({**VALUES, "B": 800.0, "q": 1.2}, parameters_only=True)
    want = solve_allocation(laws.share, same, np.log(1e21), {s.N: 1.0, s.D: 1.0})
    # A minimum is flat, so its place is known to half of the digits only.
    assert float(got["N"]) == pytest.approx(float(want["N"]), abs=1e-6)


@pytest.mark.parametrize("count", [0, 2])
def test_it_needs_exactly_one_amplitude(count: int) -> None:
    amplitudes = tuple(s.amplitude(name, of=s.N) for name in ("A", "B")[:count])
    with pytest.raises(LawError, match=rf"has {count} parameters\s+with role AMPLITUDE"):
        ForwardLaw(
            log_shape=share_shape,
            name="wrong",
            resources=(s.N,),
            parameters=(FLOOR, ALPHA, *amplitudes),
            floor=FLOOR,
            **WORDS,
        )


def _law(log_shape) -> ForwardLaw:
    return ForwardLaw(
        log_shape=log_shape,
        name="wrong",
        resources=(s.N,),
        parameters=(A, ALPHA),
        **WORDS,
    )


def test_a_result_of_the_wrong_shape_or_type_is_refused() -> None:
    values = {"N": np.array([1e6, 1e7]), "A": 1.0, "alpha": 0.3}
    with pytest.raises(
        LawError, match=r"float64 of shape \(\) for inputs that broadcast to \(2,\)"
    ):
        _law(lambda p, r: r["N"].sum()).loss(**values)
    with pytest.raises(LawError, match="returned int64"):
        _law(lambda p, r: jnp.zeros(2, int)).loss(**values)
    constant = _law(lambda p, r: -p["alpha"]).loss(**values)
    np.testing.assert_allclose(constant, np.full(2, 1 / 0.3), rtol=ROUNDING)


def test_more_digits_and_formulas_are_refused() -> None:
    ops = Precise(30)
    parameters = {
        n: ops.mpf(float(v))
        for n, v in SHARE.logs({**VALUES, "ratio": 2.0}, parameters_only=True).items()
    }
    with pytest.raises(LawError, match="cannot be evaluated with more digits"):
        SHARE.log_loss(parameters, {"N": ops.mpf(20), "D": ops.mpf(20)}, ops)
    with pytest.raises(LawError, match="elasticities have no formula"):
        SHARE.elasticity_expressions()
