"""The catalogue of laws: one declaration each; the registry is read from this module.

To add a law, write one assignment below: it is then listed, charted, given priors, fitted,
planned with, and run through the contract tests.
"""

from theory import symbols as s
from theory.errors import UnknownLaw, did_you_mean
from theory.law import AbstractLaw, Law
from theory.symbols import C, D, N, Resource


def _power(resource: Resource, name: str) -> Law:
    """E + A R^-alpha in one resource."""
    e, a = s.floor(), s.amplitude("A", of=resource)
    alpha = s.exponent("alpha", of=resource)
    return Law(
        name=name,
        title=f"power law in {resource.meaning}",
        resources=(resource,),
        parameters=(e, a, alpha),
        formula=e + a * resource**-alpha,
        floor=e,
        weights={resource: alpha.symbol},
        source="Hestness et al. 2017, arXiv:1712.00409; Henighan et al. 2020, arXiv:2010.14701",
        citation="henighan2020",
    )


power = _power(N, "power")
power_D = _power(D, "power_D")
power_C = _power(C, "power_C")


def _chinchilla() -> Law:
    e, a, b = s.floor(), s.amplitude("A", of=N), s.amplitude("B", of=D)
    alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
    return Law(
        name="chinchilla",
        title="additive law",
        resources=(N, D),
        parameters=(e, a, b, alpha, beta),
        formula=e + a * N**-alpha + b * D**-beta,
        floor=e,
        weights={N: alpha.symbol, D: beta.symbol},
        source="Hoffmann et al. 2022, arXiv:2203.15556, eq. (2)",
        citation="hoffmann2022",
    )


chinchilla = _chinchilla()


def _kaplan() -> Law:
    n_c, d_c = s.scale("N_c", of=N), s.scale("D_c", of=D)
    # Without a floor the exponents are those of the whole loss, hence small.
    alpha_n = s.exponent("alpha_N", of=N, typical=(0.08, 0.4))
    alpha_d = s.exponent("alpha_D", of=D, typical=(0.09, 0.4))
    return Law(
        name="kaplan",
        title="crossover without a floor",
        resources=(N, D),
        parameters=(n_c, d_c, alpha_n, alpha_d),
        formula=((n_c / N) ** (alpha_n / alpha_d) + d_c / D) ** alpha_d.symbol,
        floor=None,
        weights={N: alpha_n.symbol, D: alpha_d.symbol},
        source="Kaplan et al. 2020, arXiv:2001.08361, eq. (1.5)",
        citation="kaplan2020",
    )


kaplan = _kaplan()


def _share() -> Law:
    e, a, b = s.floor(), s.amplitude("A", of=N), s.amplitude("B", of=D)
    alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
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
        parameters=(e, a, b, alpha, beta, q),
        formula=e + ((a * N**-alpha) ** q.symbol + (b * D**-beta) ** q.symbol) ** (1 / q),
        floor=e,
        weights={N: alpha.symbol, D: beta.symbol},
        source="power mean of the two single-resource losses; Busbridge et al. 2025, "
        "arXiv:2502.08606, with gamma = 1/q",
        citation="busbridge2025",
    )


share = _share()


def catalogue() -> dict[str, AbstractLaw]:
    """Every law declared in this module, by name, in the order of declaration."""
    return {law.name: law for law in globals().values() if isinstance(law, AbstractLaw)}


def get(name: str) -> AbstractLaw:
    """Look a law up by name.

    Raises
    ------
    UnknownLaw
        If there is none; the message names the nearest.

    Examples
    --------
    >>> get("chinchilla").floor.name
    'E'
    """
    known = catalogue()
    if name in known:
        return known[name]
    raise UnknownLaw(f"no law called '{name}'.{did_you_mean(name, known)}")


__all__ = ["catalogue", "get", *catalogue()]  # pyright: ignore[reportUnsupportedDunderAll]
