"""Laws that cross over from the loss that N limits to the loss that D limits."""

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.links import Power
from theory.declaration.symbols import D, N

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
