r"""Scaling regimes of random-feature models, with exponents and amplitudes in closed form.

For the power-law task ``lambda_k = k^-b``, ``p_k = k^-a`` with infinitely many modes every limit of
the loss ``L(t, N, P)`` is a power of what limits it. With ``s = (a - 1)/b`` the task is hard for
s < 1, where the teacher lies outside the kernel's Hilbert space, and easy for s > 1. Each limit is
one `Regime`; tests hold every one of them to the solver in `theory.learning.dmft`.

Two sums carry all of it. As ``kappa -> 0``,

    df1(kappa) = sum lambda/(lambda + kappa) ~ c kappa^(-1/b),    c = (pi/b)/sin(pi/b),
    q(kappa) = sum p/(lambda + kappa) ~ kappa^(s-1) (pi/b)/sin(pi s) (s < 1),  zeta(a - b)  (s > 1),

and the closed forms of `theory.learning.dmft` at infinite time do the rest.

Sources: Bordelon, Atanasov, Pehlevan 2024, arXiv:2402.01092, section 4 (exponents of the
bottlenecks and of early corrections); Paquette et al. 2024, arXiv:2405.15074 (stochastic gradient
descent); amplitudes, and what is called derived, from the two sums above.
"""

import sympy
from sympy import Max, gamma, pi, sin, zeta

from theory.errors import TheoryError, did_you_mean
from theory.learning import bottlenecks
from theory.learning.regime import NoSuchRegime, Regime, a, b, crossover

__all__ = ["REGIMES", "NoSuchRegime", "Regime", "crossover", "regime", "regimes"]

t, N, P, C = sympy.symbols("t N P C", positive=True)
noise = sympy.Symbol("noise", nonnegative=True)
learning_rate, batch, members = sympy.symbols("learning_rate batch members", positive=True)
s = bottlenecks.TIME
ONE = sympy.Integer(1)

PAPER = "Bordelon et al. 2024, arXiv:2402.01092"
PAQUETTE = "Paquette et al. 2024, arXiv:2405.15074"
FEATURES = "Bordelon et al. 2024, arXiv:2409.17858"
DERIVED = "derived from the deterministic equivalent"

ANY = (a > 1) & (b > 1)
HARD, EASY = ANY & (s < 1), ANY & (s > 1)


c = pi / b / sin(pi / b)
"""``df1(kappa) ~ c kappa^(-1/b)``: a rank m resolves down to kappa = (c/m)^b."""

_slow = c ** (a - 1) * pi / (b * sin(pi * s))
"""Amplitude of ``kappa q(kappa)`` for s < 1."""

_fast = zeta(a - b) * c**b
"""Amplitude of ``kappa q(kappa)`` for s > 1."""

_noisy = noise * gamma(1 - 1 / b) * (2 - 2 ** (1 / b))
"""``sum_k (1 - e^(-lambda_k t))^2 ~ this t^(1/b)`` times the noise."""

_flow = gamma(s) / b * 2**-s

_kick = learning_rate * (1 + 1 / batch)
_order = sympy.Symbol("m", integer=True)
# (eta^2/B) sum_k lambda^2/(1 - alpha(lambda)), as a geometric series in eta (1 + 1/B).
_gain = (
    learning_rate
    / batch
    * sympy.Sum(_kick**_order / 2 ** (_order + 1) * zeta(b * (_order + 1)), (_order, 0, sympy.oo))
)
_work = (
    sympy.Sum(_kick**_order / 2 ** (_order + 1) * zeta(a - b + b * _order), (_order, 0, sympy.oo))
    / learning_rate
)

chi = s * Max(1, 2 / (1 + s))
"""Exponent in time with trained features."""


def _balance(
    first: Regime, second: Regime, quantity: str, name: str, *, added: bool
) -> tuple[Regime, ...]:
    """N, t and loss that minimise the sum of two regimes at ``C = N t``.

    Amplitudes only where the loss is their sum (`added`) and not some other crossover.
    """
    (n_1, t_1), (n_2, t_2) = (
        (r.exponents.get(N, sympy.Integer(0)), r.exponents.get(t, sympy.Integer(0)))
        for r in (first, second)
    )
    # A C^-t_1 N^(t_1 - n_1) + B C^-t_2 N^(t_2 - n_2): the first rises with N, the second falls.
    rise, fall = t_1 - n_1, n_2 - t_2
    size = sympy.cancel((t_1 - t_2) / (rise + fall))
    loss = sympy.cancel(t_1 - rise * size)
    scale = at_best = None
    if added and first.amplitude is not None and second.amplitude is not None:
        scale = ((second.amplitude * fall) / (first.amplitude * rise)) ** (1 / (rise + fall))
        at_best = first.amplitude * scale**rise + second.amplitude * scale**-fall
    both = sympy.And(first.condition, second.condition)
    source = f"{DERIVED}: balance of {first.name} and {second.name} at C = N t"
    return (
        Regime(f"{name}_size", "N*", {C: -size}, scale, both, source),
        Regime(f"{name}_time", "t*", {C: size - 1}, scale and 1 / scale, both, source),
        Regime(f"{name}_loss", quantity, {C: loss}, at_best, both, source),
    )


TIME = Regime("time_limited", "L(t)", {t: s}, _flow, ANY, f"{PAPER}, section 4; {DERIVED}")
FEATURES_HARD = Regime(
    *("features_limited", "L(N)", {N: bottlenecks.HARD}, _slow, HARD),
    f"{PAPER}, section 4; {DERIVED}",
)
FEATURES_EASY = Regime(
    *("features_limited_easy", "L(N)", {N: bottlenecks.EASY_FEATURES}, _fast, EASY),
    f"{DERIVED}: L = kappa q(kappa) and q is bounded; as in {PAQUETTE}",
    published={N: sympy.Min(a - 1, 2 * b)},
)
EARLY_HARD = Regime(
    *("early_features", "L(t, N) - L(t)", {N: ONE, t: s - 1 / b}),
    c / b * pi * s / sin(pi * s) * 2 ** (1 / b - s) / gamma(1 + 1 / b - s),
    *(HARD, f"{PAPER}, section 4; {DERIVED}: first order in 1/N of z = kappa (1 - df1/N)"),
)
EARLY_EASY = Regime(
    *("early_features_easy", "L(t, N) - L(t)", {N: ONE, t: 1 - 1 / b}),
    c * zeta(a - b) * 2 ** (1 / b - 1) / gamma(1 / b),
    *(EASY, f"{PAPER}, section 4; {DERIVED}: first order in 1/N of z = kappa (1 - df1/N)"),
)
RICH = Regime(
    *("rich_time_limited", "L(t), features trained", {t: chi}, None, ANY),
    f"{FEATURES}; heuristic: measured, not derived, in theory.learning.feature_learning",
)

REGIMES: tuple[Regime, ...] = (
    TIME,
    FEATURES_HARD,
    FEATURES_EASY,
    Regime(
        *("samples_limited", "L(P)", {P: bottlenecks.HARD}),
        (1 - s) * pi / sin(pi * s) * c ** (a - 1),
        *(ANY & (s < 2) & sympy.Ne(s, 1), f"{PAPER}, section 4; {DERIVED}"),
    ),
    Regime(
        *("samples_limited_easy", "L(P)", {P: bottlenecks.EASY_SAMPLES}),
        b * zeta(a - 2 * b) * c ** (2 * b),
        *(ANY & (s > 2), f"{PAPER}, section 4; {DERIVED}"),
    ),
    Regime(
        *("interpolated_noise", "part of L(P) by the noise", {}, b * noise, ANY),
        f"{DERIVED}: noise/(1 - df2/P), tempered overfitting",
    ),
    EARLY_HARD,
    EARLY_EASY,
    Regime(
        *("early_samples", "L(t, P) - L(t)", {P: ONE, t: s - 1 / b}, None, ANY & (s < 2)),
        f"{PAPER}, section 4",
    ),
    Regime(
        *("early_samples_easy", "L(t, P) - L(t)", {P: ONE, t: 2 - 1 / b}),
        zeta(a - 2 * b) * gamma(2 - 1 / b) / b * 2 ** (1 / b - 2),
        *(ANY & (s > 2), f"{DERIVED}: first order in 1/P"),
    ),
    Regime(
        *("early_noise", "part of L(t, P) by the noise, less the noise", {P: ONE, t: -1 / b}),
        *(_noisy, ANY, f"{DERIVED}: first order in 1/P"),
    ),
    Regime(
        *("features_variance", "L(N, P) - L(P), N >> P", {N: ONE, P: a - 2}, _slow, HARD),
        f"{DERIVED}: kappa q P/(N - P)",
    ),
    Regime(
        *("features_variance_easy", "L(N, P) - L(P), N >> P", {N: ONE, P: b - 1}, _fast, EASY),
        f"{DERIVED}: kappa q P/(N - P)",
    ),
    Regime(
        *("features_variance_noise", "part of L(N, P) - L(P) by the noise, N >> P"),
        *({N: ONE, P: -ONE}, noise, ANY, f"{DERIVED}: noise P/(N - P)"),
    ),
    Regime(
        *("samples_variance", "L(N, P) - L(N), P >> N", {P: ONE, N: a - 2}, _slow, HARD),
        f"{DERIVED}: kappa q N/(P - N)",
    ),
    Regime(
        *("samples_variance_easy", "L(N, P) - L(N), P >> N", {P: ONE, N: b - 1}, _fast, EASY),
        f"{DERIVED}: kappa q N/(P - N)",
    ),
    Regime(
        *("samples_variance_noise", "part of L(N, P) - L(N) by the noise, P >> N"),
        *({P: ONE, N: -ONE}, noise, ANY, f"{DERIVED}: noise N/(P - N)"),
    ),
    Regime(
        *("early_stopping_time", "t* at the least L(t, P) with noise", {P: -b / a}),
        (s * _flow * b / _noisy) ** (b / a),
        *(ANY, f"{DERIVED}: balance of time_limited and early_noise"),
    ),
    Regime(
        *("early_stopping_loss", "least L(t, P) over t with noise, less it", {P: (a - 1) / a}),
        _flow ** (1 / a) * _noisy ** ((a - 1) / a) * (s * b) ** (-(a - 1) / a) * (1 + s * b),
        *(ANY, f"{DERIVED}: balance of time_limited and early_noise"),
    ),
    Regime(
        *(
            "sgd_time_limited",
            "L(t), one-pass SGD",
            {t: s},
            _flow * learning_rate**-s / (1 - _gain),
        ),
        *(ANY & (s < 2 - 1 / b), f"{PAQUETTE}; {DERIVED}: renewal equation"),
    ),
    Regime(
        *("sgd_noise_limited", "L(t), one-pass SGD", {t: 2 - 1 / b}),
        gamma(2 - 1 / b)
        / b
        * 2 ** (1 / b - 2)
        * learning_rate ** (1 / b)
        / batch
        * _work
        / (1 - _gain) ** 2,
        *(ANY & (s > 2 - 1 / b), f"{PAQUETTE}; {DERIVED}: renewal equation"),
    ),
    Regime(
        *("sgd_plateau", "L(t) - noise, one-pass SGD, t >> all", {}, noise * _gain / (1 - _gain)),
        *(ANY, f"{DERIVED}: fixed point of the renewal equation"),
    ),
    *_balance(TIME, FEATURES_HARD, "least L at C = N t", "compute_optimal", added=False),
    *_balance(TIME, EARLY_EASY, "least L at C = N t", "compute_optimal_easy", added=True),
    Regime(
        *("ensemble", "L(ensemble, N/members each)/L(one of N), N-limited", {}),
        members ** (a - 1) * (1 - s + s / members),
        *(HARD, f"{DERIVED}: bias kappa^2 S0 has the share 1 - s of kappa q"),
    ),
    Regime(
        *("ensemble_easy", "L(ensemble, N/members each)/L(one of N), N-limited", {}),
        members ** (b - 1),
        *(EASY, f"{DERIVED}: bias kappa^2 S0 falls faster than kappa q"),
    ),
    RICH,
    *_balance(
        *(RICH, FEATURES_HARD, "least L at C = N t, features trained", "rich_compute_optimal"),
        added=False,
    ),
)
"""Every regime, in the order of the chapters: one resource, corrections, dynamics, decisions."""


def regimes(task_a: float | None = None, task_b: float | None = None) -> dict[str, Regime]:
    """Regimes by name; of one task where its exponents are given.

    Examples
    --------
    >>> "features_limited_easy" in regimes(1.5, 1.25)
    False
    """
    if (task_a is None) != (task_b is None):
        raise TheoryError("give both exponents a and b of the task, or neither.")
    return {
        r.name: r for r in REGIMES if task_a is None or task_b is None or r.holds(task_a, task_b)
    }


def regime(name: str) -> Regime:
    """Look a regime up by name.

    Raises
    ------
    NoSuchRegime
        If there is none; the message names the nearest.
    """
    known = regimes()
    if name not in known:
        raise NoSuchRegime(f"no regime called '{name}'.{did_you_mean(name, known)}")
    return known[name]
