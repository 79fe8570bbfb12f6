"""Crossovers that are declared by their scaling function W(x) or by its distribution of steps.

To build them takes longer than all other laws of two sizes together, so they stand in a module of
their own, which is read only where one of them is looked for.
"""

import sympy

from theory.declaration import symbols as s
from theory.declaration.crossover import steps_cdf
from theory.declaration.law import Law
from theory.declaration.random_features import scaling_function
from theory.declaration.symbols import D, Domain, N
from theory.declaration.terms import limit

E = s.floor()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)


def _crossover() -> Law:
    u = sympy.Symbol("u", real=True)
    q = s.shape("q", "overall sharpness of the crossover, as in the share law", typical=(1.5, 0.6))
    spread = s.shape(
        "spread",
        "part of the crossover's variance that lies between its steps; 0 is the CES form",
        typical=(0.4, 4.0),
        domain=Domain.UNIT,
    )
    sticks = tuple(
        s.shape(f"weight_{j}", meaning, typical=typical, domain=Domain.UNIT)
        for j, meaning, typical in (
            (1, "weight of the first step of the crossover", (1 / 3, 12.0)),
            (2, "weight of the second step in what the first leaves", (1 / 2, 8.0)),
        )
    )
    cdf = steps_cdf(u, beta.symbol, q.symbol, spread / 2, (sticks[0].symbol, sticks[1].symbol))
    return Law.from_crossover(
        cdf,
        u,
        limits=(limit(A, alpha, N), limit(B, beta, D)),
        name="crossover",
        title="semi-parametric law: the form is inferred",
        resources=(N, D),
        parameters=(E, A, B, alpha, beta, q, spread, *sticks),
        floor=E,
        source="crossover distribution of three logistic steps; contains the share law, hence "
        "Chinchilla and Kaplan with a floor",
        citation="",
        written=(
            "E + A/N**alpha*W, ln W = integral of F up to ln(B*N**alpha/(A*D**beta)), "
            "F = three logistic steps(q, spread, weight_1, weight_2)",
            r"L = E + A N^{-\alpha} \exp \int_{-\infty}^{v} F, \quad "
            r"v = \ln \frac{B D^{-\beta}}{A N^{-\alpha}}, \quad "
            r"F(v) = \sum_{j=1}^3 w_j \sigma\!\left(Q (v - m_j)\right)",
        ),
    )


crossover = _crossover()


def _maximum() -> Law:
    x = sympy.Symbol("x", positive=True)
    return Law.from_generator(
        sympy.Max(1, x**beta.symbol),
        x,
        limits=(limit(A, alpha, N), limit(B, beta, D)),
        name="maximum",
        title="the larger of the two limits",
        resources=(N, D),
        parameters=(E, A, B, alpha, beta),
        floor=E,
        source="max-bottleneck principle, Zou et al. 2026, arXiv:2602.02593; limit q to infinity "
        "of the share law",
        citation="zou2026",
        verified=False,
    )


maximum = _maximum()


def _random_features() -> Law:
    """The scaling function of optimally ridged random features (THEORY_LAWS 3.3)."""
    x = sympy.Symbol("x", positive=True)
    return Law.from_generator(
        scaling_function(x, alpha.symbol),
        x,
        limits=(limit(A, alpha, N), limit(B, alpha, D)),
        name="random_features",
        title="random features at the optimal ridge",
        resources=(N, D),
        parameters=(E, A, B, alpha),
        floor=E,
        source="deterministic equivalent of random-feature ridge regression with an isotropic "
        "power-law teacher, minimised over the ridge; setting of Bahri et al. 2021, "
        "arXiv:2102.06701",
        citation="bahri2021",
    )


random_features = _random_features()


def _ridgeless() -> Law:
    x = sympy.Symbol("x", positive=True)
    k = alpha.symbol
    return Law.from_generator(
        sympy.Max(1, x) ** k / (1 - sympy.Min(x, 1 / x)),
        x,
        limits=(limit(A, alpha, N), limit(B, alpha, D)),
        name="ridgeless",
        title="random features without ridge: double descent",
        resources=(N, D),
        parameters=(E, A, B, alpha),
        floor=E,
        claims=("A0", "A1"),
        source="deterministic equivalent of ridgeless random features; setting of Maloney et al. "
        "2022, arXiv:2210.16859",
        citation="maloney2022",
    )


ridgeless = _ridgeless()
