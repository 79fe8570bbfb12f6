"""Laws given by a contour: the share law with its four exponents, and trade-offs of batch size."""

import sympy

from theory.declaration import symbols as s
from theory.declaration.abstract_law import KERNEL
from theory.declaration.contour import ContourLaw
from theory.declaration.links import Odds
from theory.declaration.symbols import B, D, N, Parameter, S

E = s.floor()
N_c, D_c = s.scale("N_c", of=N), s.scale("D_c", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
alpha_N, alpha_D = s.exponent("alpha_N", of=N), s.exponent("alpha_D", of=D)
BATCH_SOURCE = "McCandlish et al. 2018, arXiv:1812.06162; Kaplan et al. 2020, eqs. (5.1)-(5.2)"


def _share_free() -> ContourLaw:
    a, b = s.amplitude("A", of=N), s.amplitude("B", of=D)
    rho_N, rho_D = (
        s.shape(f"rho_{r.name}", f"variance-limited exponent in {r.meaning}", typical=(0.45, 0.4))
        for r in (N, D)
    )
    return ContourLaw(
        name="share_free",
        title="share law with four exponents",
        resources=(N, D),
        parameters=(E, a, b, alpha, beta, rho_N, rho_D),
        contour=(a * N**-alpha / KERNEL) ** (rho_N / alpha)
        + (b * D**-beta / KERNEL) ** (rho_D / beta),
        floor=E,
        weights={N: alpha.symbol, D: beta.symbol},
        source="shares (kappa_i/R_i)^rho_i ell^(-rho_i/alpha_i) that sum to 1: the four exponents "
        "of Bahri et al. 2021, arXiv:2102.06701, as parameters",
        citation="bahri2021",
    )


share_free = _share_free()


def _fixed_variance(
    name: str, title: str, rho_N: sympy.Expr, claims: tuple[str, ...]
) -> ContourLaw:
    """The share law at given variance-limited exponents, in critical sizes."""
    one = sympy.Integer(1)
    return ContourLaw(
        name=name,
        title=title,
        resources=(N, D),
        parameters=(E, N_c, D_c, alpha_N, alpha_D),
        contour=(N_c / N) ** rho_N * KERNEL ** (-rho_N / alpha_N)
        + (D_c / D) * KERNEL ** (-one / alpha_D),
        floor=E,
        weights={N: alpha_N.symbol, D: alpha_D.symbol},
        claims=claims,
        source="share law at the variance-limited exponents of Bahri et al. 2021, arXiv:2102.06701",
        citation="bahri2021",
        nests={
            "share_free": {
                "A": N_c**alpha_N.symbol,
                "B": D_c**alpha_D.symbol,
                "alpha": alpha_N.symbol,
                "beta": alpha_D.symbol,
                "rho_N": rho_N,
                "rho_D": 1,
            }
        },
    )


harmonic = _fixed_variance(
    "harmonic",
    "harmonic law: N_min(L)/N + D_min(L)/D = 1",
    sympy.Integer(1),
    ("A0", "A1", "A2", "A3", "A4", "A5"),
)
width_limited = _fixed_variance(
    "width_limited",
    "variance-limited in data and in the width of a deep network",
    sympy.Rational(1, 2),
    ("A0", "A1", "A2", "A3", "A4"),
)


def _batch_contour() -> ContourLaw:
    s_c, d_c = s.scale("S_c", of=S), s.scale("D_c", of=D)
    alpha_S = s.exponent("alpha_S", of=S)
    one = sympy.Integer(1)
    return ContourLaw(
        name="batch_contour",
        title="serial steps against examples: (S/S_min - 1)(D/D_min - 1) = 1",
        resources=(S, D),
        parameters=(E, s_c, d_c, alpha_S, alpha_D),
        contour=(s_c / S) * KERNEL ** (-one / alpha_S) + (d_c / D) * KERNEL ** (-one / alpha_D),
        floor=E,
        weights={S: alpha_S.symbol, D: alpha_D.symbol},
        claims=("A0", "A1", "A2", "A3", "A4", "A5"),
        source=BATCH_SOURCE + "; power laws for S_min(L) and D_min(L)",
        citation="mccandlish2018",
    )


batch_contour = _batch_contour()


def _kaplan_batch() -> ContourLaw:
    s_c = s.scale("S_c", of=S)
    small_N = s.exponent("alpha_N", of=N, typical=(0.077, 0.3))
    alpha_S = s.exponent("alpha_S", of=S, typical=(0.3, 0.45))
    alpha_B = s.exponent("alpha_B", of=B, typical=(0.21, 0.2))
    b_star = Parameter(
        "B_star", s.Role.SHAPE, "critical batch size at loss 1", "tokens", typical=(2e8, 0.5)
    )
    critical = b_star * KERNEL ** (-1 / alpha_B)
    return ContourLaw(
        name="kaplan_batch",
        title="model size, steps and batch size",
        resources=(N, S, B),
        parameters=(N_c, s_c, b_star, small_N, alpha_S, alpha_B),
        contour=(N_c / N) ** small_N.symbol / KERNEL
        + (s_c / S * (1 + critical / B)) ** alpha_S.symbol / KERNEL,
        weights={N: small_N.symbol, S: alpha_S.symbol, B: alpha_B.symbol},
        claims=("A0", "A2", "A3"),
        source="Kaplan et al. 2020, arXiv:2001.08361, eqs. (1.4), (1.6) and (5.4)",
        citation="kaplan2020",
    )


kaplan_batch = _kaplan_batch()


def _generalised_odds() -> ContourLaw:
    a, falls = s.amplitude("A", of=D), s.exponent("alpha", of=D)
    m = s.shape("m", "power of the distance from the loss without training", typical=(1.0, 0.35))
    # With the odds ell = (L - E)/(L_0 - L) it is ell (1 + ell)^(m - 1), up to (L_0 - E)^(1 - m).
    return ContourLaw(
        name="odds_power",
        title="power law on generalised odds (M4)",
        resources=(D,),
        parameters=(E, s.cap(), a, falls, m),
        contour=a * D**-falls / KERNEL * (1 + KERNEL) ** (1 - m),
        link=Odds(E, s.cap()),
        claims=("A1", "A2", "A6"),  # it is a power on (L - E)/(L_0 - L)^m, not on the odds
        source="M4 of Alabdulmohsin et al. 2022, arXiv:2209.06640; A absorbs (L_0 - E)^(m - 1)",
        citation="alabdulmohsin2022",
    )


odds_power = _generalised_odds()
