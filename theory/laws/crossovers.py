"""Laws that cross over from the loss that N limits to the loss that D limits."""

import sympy

from theory.declaration import symbols as s
from theory.declaration.crossover import steps_cdf
from theory.declaration.law import Law
from theory.declaration.links import Power
from theory.declaration.symbols import D, Domain, N
from theory.declaration.terms import limit
from theory.learning.random_features.scaling_function import scaling_function

E = s.floor()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
N_c, D_c = s.scale("N_c", of=N), s.scale("D_c", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
alpha_N, alpha_D = s.exponent("alpha_N", of=N), s.exponent("alpha_D", of=D)

# Without a floor the exponents are those of the whole loss, hence small.
small_N = s.exponent("alpha_N", of=N, typical=(0.08, 0.4))
small_D = s.exponent("alpha_D", of=D, typical=(0.09, 0.4))

_KAPLAN = ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D.symbol
_IN_SHARE = {
    "A": N_c**alpha_N.symbol,
    "B": D_c**alpha_D.symbol,
    "alpha": alpha_N.symbol,
    "beta": alpha_D.symbol,
    "q": 1 / alpha_D,
}

kaplan = Law(
    name="kaplan",
    title="crossover without a floor",
    resources=(N, D),
    parameters=(N_c, D_c, small_N, small_D),
    formula=_KAPLAN,
    weights={N: small_N.symbol, D: small_D.symbol},
    source="Kaplan et al. 2020, arXiv:2001.08361, eq. (1.5)",
    citation="kaplan2020",
    nests={
        "share": {**_IN_SHARE, "E": 0},
        "kaplan_floor": {"E": 0},
        "droppo": {"E": 0, "gamma": small_D.symbol},
    },
)

kaplan_floor = Law(
    name="kaplan_floor",
    title="Kaplan's crossover above a floor",
    resources=(N, D),
    parameters=(E, N_c, D_c, alpha_N, alpha_D),
    formula=E + _KAPLAN,
    floor=E,
    weights={N: alpha_N.symbol, D: alpha_D.symbol},
    source="Kaplan et al. 2020, arXiv:2001.08361, eq. (1.5), on the reducible loss",
    citation="kaplan2020",
    nests={"share": _IN_SHARE},
)


def _share() -> Law:
    q = s.shape(
        "q",
        "sharpness of the crossover between the N-limited and D-limited losses: "
        "1 adds them, infinity takes the larger",
        typical=(1.3, 0.35),
    )
    return Law(
        name="share",
        title="share law, CES form",
        resources=(N, D),
        weights={N: alpha.symbol, D: beta.symbol},
        parameters=(E, A, B, alpha, beta, q),
        formula=E + ((A * N**-alpha) ** q.symbol + (B * D**-beta) ** q.symbol) ** (1 / q),
        floor=E,
        source="power mean of the two single-resource losses; Busbridge et al. 2025, "
        "arXiv:2502.08606, with gamma = 1/q",
        citation="busbridge2025",
        nests={
            "share_free": {"rho_N": q * alpha.symbol, "rho_D": q * beta.symbol},
            "crossover": {"spread": 1e-24, "weight_1": 0.3, "weight_2": 0.5},
        },
    )


share = _share()


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


def _droppo() -> Law:
    gamma = s.shape("gamma", "power on which the floor and the terms add", typical=(0.3, 0.4))
    of_N, of_D = (s.exponent(f"alpha_{r.name}", of=r, typical=(0.2, 0.4)) for r in (N, D))
    return Law(
        name="droppo",
        title="crossover with the floor inside the power",
        resources=(N, D),
        parameters=(E, N_c, D_c, of_N, of_D, gamma),
        kernel=(N_c / N) ** (of_N / gamma) + (D_c / D) ** (of_D / gamma),
        link=Power(E, gamma),
        weights={N: of_N / gamma, D: of_D / gamma},
        source="Droppo and Elibol 2021, arXiv:2106.09488",
        citation="droppo2021",
        verified=False,
    )


droppo = _droppo()


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
