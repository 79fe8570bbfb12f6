"""Closed-form laws in model size and data: N, D, and the unique part U of the data."""

import sympy

from theory.declaration import symbols as s
from theory.declaration.crossover import steps_cdf
from theory.declaration.law import Law
from theory.declaration.links import Envelope, Odds, Power
from theory.declaration.symbols import D, Domain, N, U
from theory.declaration.terms import limit
from theory.learning.random_features.scaling_function import scaling_function

E, L_0 = s.floor(), s.cap()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
N_c, D_c = s.scale("N_c", of=N), s.scale("D_c", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
alpha_N, alpha_D = s.exponent("alpha_N", of=N), s.exponent("alpha_D", of=D)

# Without a floor the exponents are those of the whole loss, hence small.
small_N = s.exponent("alpha_N", of=N, typical=(0.08, 0.4))
small_D = s.exponent("alpha_D", of=D, typical=(0.09, 0.4))

SIZES = {"resources": (N, D), "weights": {N: alpha.symbol, D: beta.symbol}}
_KAPLAN = ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D.symbol
_IN_SHARE = {
    "A": N_c**alpha_N.symbol,
    "B": D_c**alpha_D.symbol,
    "alpha": alpha_N.symbol,
    "beta": alpha_D.symbol,
    "q": 1 / alpha_D,
}

chinchilla = Law(
    name="chinchilla",
    title="additive law",
    **SIZES,
    parameters=(E, A, B, alpha, beta),
    formula=E + A * N**-alpha + B * D**-beta,
    floor=E,
    source="Hoffmann et al. 2022, arXiv:2203.15556, eq. (2)",
    citation="hoffmann2022",
    nests={
        "share": {"q": 1},
        "krajewski": {"a": A.symbol, "b": B.symbol, "g": 0, "G": 4.0, "gamma": 0.6},
        "kumar": {"gamma": 1e-3, "bits": 8.0},
        "dmft_terms": {
            "B": B.symbol,
            "F": 0,
            "t": 1e6,
            "r_N": alpha.symbol,
            "r_D": beta.symbol,
            "r_t": 0.5,
        },
    },
)

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
        **SIZES,
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


def _gadre() -> Law:
    a, b = s.amplitude("a", of=N), s.amplitude("b", of=D)
    eta = s.exponent("eta", of=N, typical=(0.15, 0.4))
    # (a M^eta + b M^-eta) C^-eta with C = 6 N D and M = D/N
    six = sympy.Integer(6) ** -eta.symbol
    return Law(
        name="gadre",
        title="over-training law: additive with one exponent",
        resources=(N, D),
        parameters=(E, a, b, eta),
        formula=E + a * six * N ** (-2 * eta) + b * six * D ** (-2 * eta),
        floor=E,
        weights={N: 2 * eta, D: 2 * eta},
        source="Gadre et al. 2024, arXiv:2403.08540, eq. (4), with C = 6 N D and M = D/N",
        citation="gadre2024",
        nests={"chinchilla": {"A": a * six, "B": b * six, "alpha": 2 * eta, "beta": 2 * eta}},
    )


gadre = _gadre()

quantization = Law(
    name="quantization",
    title="quanta of skills: two exponents from one",
    resources=(N, D),
    parameters=(E, A, B, alpha),
    formula=E + A * N**-alpha + B * D ** (-alpha / (1 + alpha.symbol)),
    floor=E,
    weights={N: alpha.symbol, D: alpha / (1 + alpha.symbol)},
    source="Michaud et al. 2023, arXiv:2303.13506; D exponent as in Hutter 2021, arXiv:2102.04074",
    citation="michaud2023",
    verified=False,
    nests={"chinchilla": {"beta": alpha / (1 + alpha.symbol)}},
)

bounded = Law(
    name="bounded",
    title="additive law on the odds",
    **SIZES,
    parameters=(E, L_0, A, B, alpha, beta),
    kernel=A * N**-alpha + B * D**-beta,
    link=Odds(E, L_0),
    claims=("A0", "A1", "A2", "A3", "A6"),
    source="Bryant and Liu 2026, arXiv:2605.09189, without the overfitting term",
    citation="bryant2026",
    nests={"overfitting": {"F": 0, "gamma": 0.1, "delta": 0.5, "U": 1e10}},
)


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

rosenfeld = Law(
    name="rosenfeld",
    title="additive law under the random-guess envelope",
    **SIZES,
    parameters=(E, L_0, A, B, alpha, beta),
    kernel=A * N**-alpha + B * D**-beta,
    link=Envelope(E, L_0),
    claims=("A0", "A1", "A2", "A3", "A6"),
    source="Rosenfeld et al. 2020, arXiv:1909.12673, eqs. (4)-(5)",
    citation="rosenfeld2020",
    verified=False,
)


def _product() -> Law:
    # Both exponents act at once, so each is about half of one that acts alone.
    of_N, of_D = (
        s.exponent(name, of=r, typical=(0.15, 0.5)) for name, r in (("alpha", N), ("beta", D))
    )
    return Law(
        name="product",
        title="multiplicative joint law (fine-tuning)",
        resources=(N, D),
        parameters=(E, A, of_N, of_D),
        formula=E + A * N**-of_N * D**-of_D,
        floor=E,
        weights={N: 2 * of_N, D: 2 * of_D},
        claims=("A0", "A2", "A3"),
        source="Zhang et al. 2024, arXiv:2402.17193, eq. (1)",
        citation="zhang2024finetuning",
    )


product = _product()


def _farseer() -> Law:
    scale_3, scale_2 = (
        s.shape(name, f"size effect on the {what}", typical=(10.0, 0.7))
        for name, what in (("a_3", "limit of infinite data"), ("a_2", "data amplitude"))
    )
    fall_3, fall_2, fall_1 = (
        s.shape(name, "fall of that effect with model size", typical=(0.3, 0.2))
        for name in ("gamma", "delta", "epsilon")
    )
    scale_1 = s.shape(
        "a_1", "size effect on the data exponent", typical=(0.0, 5.0), domain=Domain.REAL
    )
    level = s.shape(
        "b_1", "log of the data exponent of a large model", typical=(-1.2, 0.3), domain=Domain.REAL
    )
    rate = sympy.exp(scale_1 * N**-fall_1 + level.symbol)
    return Law(
        name="farseer",
        title="data exponent that depends on model size",
        resources=(N, D),
        parameters=(A, B, scale_3, scale_2, scale_1, fall_3, fall_2, fall_1, level),
        formula=A * sympy.exp(scale_3 * N**-fall_3)
        + B * sympy.exp(scale_2 * N**-fall_2) * D**-rate,
        claims=(),
        source="Li et al. 2025, arXiv:2506.10972, eq. (3), exponents of N written as falls",
        citation="farseer2025",
        verified=False,
    )


farseer = _farseer()


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
