"""Laws of model size and data whose terms are added or multiplied, on the loss or under a link."""

import sympy

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.links import Envelope, Odds
from theory.declaration.symbols import D, Domain, N

E, L_0 = s.floor(), s.cap()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)

SIZES = {"resources": (N, D), "weights": {N: alpha.symbol, D: beta.symbol}}

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
