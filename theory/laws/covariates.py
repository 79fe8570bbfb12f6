"""Laws in which something that is not spent describes a run: sparsity, experts, precision, ..."""

import sympy

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import (
    D,
    Domain,
    G,
    H,
    N,
    N_nv,
    N_v,
    bits,
    density,
    experts,
    streams,
)

E = s.floor()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
a, b, c, d = (
    s.amplitude(name, of=r) for name, r in (("a", N), ("b", D), ("c", density), ("d", density))
)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
FREE = sympy.oo
"""Weight of a covariate, which the scaling equation leaves alone."""


def _krajewski() -> Law:
    g = s.amplitude("g", of=G)
    gamma = s.shape("gamma", "fall of the size amplitude with granularity", typical=(0.58, 0.3))
    return Law(
        name="krajewski",
        title="mixture of experts: granularity",
        resources=(N, D, G),
        parameters=(E, g, a, b, alpha, beta, gamma),
        formula=E + g * G**-gamma * N**-alpha + a * N**-alpha + b * D**-beta,
        floor=E,
        weights={N: alpha.symbol, D: beta.symbol, G: FREE},
        source="Krajewski et al. 2024, arXiv:2402.07871, eq. (9)",
        citation="krajewski2024",
    )


krajewski = _krajewski()


def _saturating_experts() -> tuple[sympy.Expr, s.Parameter, s.Parameter]:
    """Clark's effective number of experts, between E_start and E_max."""
    start = s.shape("E_start", "effective number of experts of one", typical=(2.0, 0.3))
    most = s.shape("E_max", "largest effective number of experts", typical=(300.0, 0.3))
    # 1/(1/E_start - 1/E_max) = E_start E_max/(E_max - E_start)
    offset = start * most.symbol / (most - start.symbol)
    return 1 / (1 / (experts - 1 + offset) + 1 / most), start, most


def _clark() -> Law:
    effective, start, most = _saturating_experts()
    fall = s.shape(
        "beta", "fall of the loss with the effective number of experts", typical=(0.1, 0.2)
    )
    mix = s.shape("gamma", "interaction of size and experts", typical=(0.004, 0.3))
    size = s.exponent("alpha", of=N, typical=(0.083, 0.15))
    return Law(
        name="clark",
        title="routed language models",
        resources=(N, experts),
        parameters=(A, size, fall, mix, start, most),
        formula=A
        * N**-size
        * effective**-fall
        * sympy.exp(mix * sympy.log(N.symbol) * sympy.log(effective)),
        claims=(),
        source="Clark et al. 2022, arXiv:2202.01169, eq. (1), in natural logarithms (the base is "
        "not stated where it was seen)",
        domain=(sympy.Ge(experts.symbol, 1),),
        citation="clark2022",
        verified=False,
    )


clark = _clark()


def _ludziejewski() -> Law:
    effective, start, most = _saturating_experts()
    delta, omega = (
        s.shape(
            name,
            f"power of the experts in the {r.meaning} term",
            typical=typical,
            domain=Domain.REAL,
        )
        for name, r, typical in (("delta", N, (-0.2, 0.2)), ("omega", D, (0.5, 0.2)))
    )
    gamma, zeta = (
        s.shape(
            name,
            f"change of the {r.meaning} exponent with experts",
            typical=typical,
            domain=Domain.REAL,
        )
        for name, r, typical in (("gamma", N, (0.01, 0.008)), ("zeta", D, (-0.02, 0.01)))
    )
    rate_N = alpha - gamma * sympy.log(effective)
    rate_D = beta - zeta * sympy.log(effective)
    return Law(
        name="ludziejewski",
        title="mixture of experts: exponents that depend on their number",
        resources=(N, D, experts),
        parameters=(E, a, b, alpha, beta, delta, gamma, omega, zeta, start, most),
        formula=E
        + a * effective**delta.symbol * N.symbol**-rate_N
        + b * effective**omega.symbol * D.symbol**-rate_D,
        floor=E,
        weights={N: rate_N, D: rate_D, experts: FREE},
        claims=("A0", "A1"),
        source="Ludziejewski et al. 2025, arXiv:2502.05172, eq. (1); alpha and beta with our sign",
        domain=(sympy.Ge(experts.symbol, 1),),
        citation="ludziejewski2025",
    )


ludziejewski = _ludziejewski()


def _abnar() -> Law:
    gamma = s.exponent("gamma", of=N, typical=(0.16, 0.4))
    lambda_, delta = (
        s.shape(name, meaning, typical=typical, domain=Domain.REAL)
        for name, meaning, typical in (
            ("lambda", "fall of the sparsity floor with density", (-0.17, 0.15)),
            ("delta", "fall of the mixed term with density", (0.16, 0.15)),
        )
    )
    return Law(
        name="abnar",
        title="mixture of experts: sparsity",
        resources=(N, D, density),
        parameters=(E, a, b, c, d, alpha, beta, gamma, lambda_, delta),
        formula=E
        + a * N**-alpha
        + b * D**-beta
        + c * density**-lambda_
        + d * density**-delta * N**-gamma,
        floor=E,
        claims=("A2", "A3"),
        source="Abnar et al. 2025, arXiv:2501.12370, eq. (6), density = 1 - S",
        domain=(sympy.Le(density.symbol, 1),),
        citation="abnar2025",
        verified=False,
    )


abnar = _abnar()


def _frantar() -> Law:
    a_S, c_S = s.amplitude("a_S", of=density), s.amplitude("c_S", of=N)
    a_D = s.scale("a_D", of=D)
    b_N, b_D = s.exponent("b_N", of=N), s.exponent("b_D", of=D)
    b_S = s.shape("b_S", "rise of the size amplitude with density", typical=(0.75, 0.3))
    floor = s.floor("c")
    return Law(
        name="frantar",
        title="sparse weights",
        resources=(N, D, density),
        parameters=(floor, a_S, c_S, a_D, b_N, b_D, b_S),
        formula=floor
        + a_S * density**b_S.symbol * N**-b_N
        + c_S * N**-b_N
        + (a_D / D) ** b_D.symbol,
        floor=floor,
        weights={N: b_N.symbol, D: b_D.symbol, density: FREE},
        source="Frantar et al. 2023, arXiv:2309.08520, eq. (1), density = 1 - S, N non-zero "
        "parameters",
        domain=(sympy.Le(density.symbol, 1),),
        citation="frantar2023",
    )


frantar = _frantar()


def _kumar() -> Law:
    gamma = s.shape("gamma", "bits within which precision matters", unit="bits", typical=(2.7, 0.3))
    effective = N * (1 - sympy.exp(-bits / gamma))
    return Law(
        name="kumar",
        title="precision of the weights",
        resources=(N, D, bits),
        parameters=(E, A, B, alpha, beta, gamma),
        formula=E + A * effective**-alpha + B * D**-beta,
        floor=E,
        weights={N: alpha.symbol, D: beta.symbol, bits: FREE},
        source="Kumar et al. 2024, arXiv:2411.04330, eqs. (3)-(4), weights only, without the "
        "post-training term",
        citation="kumar2024",
    )


kumar = _kumar()


def _tao() -> Law:
    a_1, a_2, b_H = (s.amplitude(n, of=r) for n, r in (("A_1", N_nv), ("A_2", N_v), ("B", H)))
    alpha_1, alpha_2, of_H = (
        s.exponent(n, of=r) for n, r in (("alpha_1", N_nv), ("alpha_2", N_v), ("beta", H))
    )
    return Law(
        name="tao",
        title="vocabulary",
        resources=(N_nv, N_v, H),
        parameters=(E, a_1, a_2, b_H, alpha_1, alpha_2, of_H),
        formula=E + a_1 * N_nv**-alpha_1 + a_2 * N_v**-alpha_2 + b_H * H**-of_H,
        floor=E,
        weights={N_nv: alpha_1.symbol, N_v: alpha_2.symbol, H: of_H.symbol},
        source="Tao et al. 2024, arXiv:2407.13623, for a loss with a positive floor (the "
        "unigram-normalised loss has -E in its place)",
        citation="tao2024",
    )


tao = _tao()


def _parscale() -> Law:
    k = s.shape("k", "gain of a parallel stream", typical=(0.36, 0.3))
    scale = s.scale("N_c", of=N)
    return Law(
        name="parscale",
        title="parallel streams",
        resources=(N, streams),
        parameters=(E, scale, alpha, k),
        formula=E + (scale / (N * (1 + k * sympy.log(streams.symbol)))) ** alpha.symbol,
        floor=E,
        weights={N: alpha.symbol, streams: FREE},
        source="Chen et al. 2025, arXiv:2505.10475, eq. (5), natural logarithm (the base is not "
        "stated where it was seen)",
        domain=(sympy.Ge(streams.symbol, 1),),
        citation="parscale2025",
        verified=False,
    )


parscale = _parscale()


def _transfer() -> Law:
    n_c, d_c = s.scale("N_c", of=N), s.scale("D_c", of=D)
    alpha_N = s.exponent("alpha_N", of=N, typical=(0.08, 0.4))
    alpha_D = s.exponent("alpha_D", of=D, typical=(0.09, 0.4))
    power_D = s.shape(
        "a", "power of the fine-tuning data in the data transferred", typical=(0.18, 0.3)
    )
    power_N = s.shape("b", "power of the model size in the data transferred", typical=(0.38, 0.3))
    first = (n_c / N) ** (alpha_N / alpha_D)
    return Law(
        name="transfer",
        title="transfer: pre-training as effective data",
        resources=(N, D),
        parameters=(n_c, d_c, alpha_N, alpha_D, power_D, power_N),
        formula=(first + d_c * D**-power_D * N**-power_N) ** alpha_D.symbol,
        weights={
            N: alpha_N.symbol,
            D: power_D / (1 / alpha_D - power_N / alpha_N),
        },
        claims=("A0", "A2", "A3"),
        source="Hernandez et al. 2021, arXiv:2102.01293, eq. (6.1); D is fine-tuning data, D_c "
        "absorbs k",
        citation="hernandez2021",
    )


transfer = _transfer()
