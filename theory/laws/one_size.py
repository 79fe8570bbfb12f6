"""Laws in one size: power laws, with a floor, a bend or a bound."""

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.links import Odds
from theory.declaration.symbols import C, D, N, Parameter, Resource

E, L_0 = s.floor(), s.cap()


def _power(resource: Resource, name: str) -> Law:
    """E + A R^-alpha in one resource."""
    a, alpha = s.amplitude("A", of=resource), s.exponent("alpha", of=resource)
    return Law(
        name=name,
        title=f"power law in {resource.meaning}",
        resources=(resource,),
        parameters=(E, a, alpha),
        formula=E + a * resource**-alpha,
        floor=E,
        weights={resource: alpha.symbol},
        source="Hestness et al. 2017, arXiv:1712.00409; Henighan et al. 2020, arXiv:2010.14701, "
        "eq. (1.1)",
        citation="henighan2020",
    )


power = _power(N, "power")
power_D = _power(D, "power_D")
power_C = _power(C, "power_C")


def _pure_power() -> Law:
    a = s.amplitude("A", of=D)
    alpha = s.exponent("alpha", of=D, typical=(0.1, 0.6))
    return Law(
        name="pure_power",
        title="power law without a floor (M1)",
        resources=(D,),
        parameters=(a, alpha),
        formula=a * D**-alpha,
        weights={D: alpha.symbol},
        source="Cortes et al. 1993; M1 of Alabdulmohsin et al. 2022, arXiv:2209.06640",
        citation="alabdulmohsin2022",
        nests={"power_D": {"E": 0}},
    )


pure_power = _pure_power()


def _shifted_power() -> Law:
    a, alpha = s.amplitude("A", of=D), s.exponent("alpha", of=D, typical=(0.28, 0.4))
    place = s.position("D_1", of=D)
    return Law(
        name="shifted_power",
        title="power law that bends to a floor (M3)",
        resources=(D,),
        parameters=(a, alpha, place),
        formula=a * (1 / D + 1 / place) ** alpha.symbol,
        claims=("A1", "A2", "A3"),
        source="M3 of Alabdulmohsin et al. 2022, arXiv:2209.06640; Bansal et al. 2022, "
        "arXiv:2202.01994",
        citation="alabdulmohsin2022",
    )


shifted_power = _shifted_power()


def _bounded_power() -> Law:
    a, alpha = s.amplitude("A", of=D), s.exponent("alpha", of=D)
    return Law(
        name="bounded_power",
        title="power law on the odds (M4 with exponent 1)",
        resources=(D,),
        parameters=(E, L_0, a, alpha),
        kernel=a * D**-alpha,
        link=Odds(E, L_0),
        weights={D: alpha.symbol},
        claims=("A0", "A1", "A2", "A3", "A6"),
        source="M4 of Alabdulmohsin et al. 2022, arXiv:2209.06640, with alpha = 1",
        citation="alabdulmohsin2022",
        nests={"odds_power": {"m": 1}},
    )


bounded_power = _bounded_power()


def _sigmoid() -> Law:
    middle, steepness = s.scale("C_mid", of=C), s.exponent("b", of=C, typical=(0.5, 0.4))
    return Law(
        name="sigmoid",
        title="sigmoid in log compute (ScaleRL, as a loss)",
        resources=(C,),
        parameters=(E, L_0, middle, steepness),
        kernel=(middle / C) ** steepness.symbol,
        link=Odds(E, L_0),
        weights={C: steepness.symbol},
        claims=("A0", "A1", "A2", "A3", "A6"),
        source="Khatri et al. 2025, arXiv:2510.13786, eq. (1), for the loss L_0 - R_C",
        citation="khatri2025",
    )


sigmoid = _sigmoid()


def _broken(breaks: int) -> Law:
    """A broken power law by its slopes ``s_i``: ``c_0 = s_0, c_i = s_i - s_(i-1)``."""
    a = s.amplitude("A", of=D)
    slopes = [s.exponent(f"s_{i}", of=D, typical=(0.3, 0.5)) for i in range(breaks + 1)]
    shapes: list[Parameter] = []
    formula = a * D ** -slopes[0].symbol
    for i in range(1, breaks + 1):
        place = s.position(f"d_{i}", of=D)
        width = s.shape(f"f_{i}", f"width of break {i} in log size", typical=(0.4, 0.4))
        change = slopes[i] - slopes[i - 1].symbol
        formula *= (1 + (D / place) ** (1 / width)) ** (-change * width.symbol)
        shapes += [place, width]
    return Law(
        name=f"broken_{breaks}",
        title=f"broken power law, {breaks} break{'s' if breaks > 1 else ''} (BNSL)",
        resources=(D,),
        parameters=(E, a, *slopes, *shapes),
        formula=E + formula,
        floor=E,
        claims=("A1", "A2"),
        source="Caballero et al. 2022, arXiv:2210.14891, by local slopes",
        citation="caballero2022",
        nests={
            "broken_2": {"s_2": slopes[1].symbol, "d_2": 1e9, "f_2": 1.0},
        }
        if breaks == 1
        else {},
    )


broken_1 = _broken(1)
broken_2 = _broken(2)
