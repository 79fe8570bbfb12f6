"""Laws in which part of the data is seen again: N, D, and the unique part U of the data."""

import sympy

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.links import Odds
from theory.declaration.symbols import D, N, U

E, L_0 = s.floor(), s.cap()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)


def _overfitting() -> Law:
    f = s.amplitude("F", of=U)
    gamma = s.shape("gamma", "rise of the overfitting term with model size", typical=(0.2, 0.4))
    delta = s.shape("delta", "fall of the overfitting term with unique data", typical=(0.4, 0.4))
    return Law(
        name="overfitting",
        title="bounded law with overfitting on repeated data",
        resources=(N, D, U),
        parameters=(E, L_0, A, B, f, alpha, beta, gamma, delta),
        kernel=A * N**-alpha + B * D**-beta + f * N**gamma.symbol * U**-delta,
        link=Odds(E, L_0),
        claims=("A6",),
        source="Bryant and Liu 2026, arXiv:2605.09189, abstract; D are tokens seen, U unique",
        citation="bryant2026",
    )


overfitting = _overfitting()


def _repeated(name: str, *, tied: bool) -> Law:
    """Muennighoff's effective data (and model size) under repetition."""
    rate = s.shape("R_D", "repetitions after which repeated data stop helping", typical=(15.0, 0.5))
    fresh = sympy.Min(D.symbol, U.symbol)
    decay = sympy.exp(-(D / fresh - 1) / rate)
    data = fresh * (1 + rate) - fresh * rate * decay
    if not tied:
        return Law(
            name=name,
            title="repeated data: effective tokens decay with epochs",
            resources=(N, D, U),
            parameters=(E, A, B, alpha, beta, rate),
            formula=E + A * N**-alpha + B * data**-beta,
            floor=E,
            weights={N: alpha.symbol, D: beta.symbol, U: beta.symbol},
            source="Muennighoff et al. 2023, arXiv:2305.16264, eq. (5)",
            citation="muennighoff2023",
        )
    rate_N = s.shape("R_N", "excess size after which it stops helping", typical=(5.3, 0.5))
    fill = s.shape("fill", "parameters that a unique token can fill", typical=(0.05, 0.3))
    useful = sympy.Min(N.symbol, fill * U)
    decay_N = sympy.exp(-(N / useful - 1) / rate_N)
    size = useful * (1 + rate_N) - useful * rate_N * decay_N
    return Law(
        name=name,
        title="repeated data and excess size, one exponent",
        resources=(N, D, U),
        parameters=(E, A, B, alpha, rate, rate_N, fill),
        formula=E + A * size**-alpha + B * data**-alpha,
        floor=E,
        weights=dict.fromkeys((N, D, U), alpha.symbol),
        source="Muennighoff et al. 2023, arXiv:2305.16264, eqs. (5)-(6), U_N = fill U_D",
        citation="muennighoff2023",
    )


repeated_data = _repeated("repeated_data", tied=False)
muennighoff = _repeated("muennighoff", tied=True)
