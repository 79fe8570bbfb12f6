r"""The four exponents of Bahri et al., and bounds on them from dimension and smoothness.

Each is one `Exponent`: what falls, with which size, by which power, whether that is exact or a
bound, and under which assumptions. For tasks with other teachers than the isotropic one exponents
are in `theory.learning.regimes`, as functions of a and b; here ``a = b = 1 + alpha_K``.

A bound on a loss, ``L <= c R^-e``, is a lower bound on its exponent. Two ways to fill space with D
points lead to bounds in the dimension d of the data manifold: from a point to the nearest of D
examples it is ``D^(-1/d)``, and a model with P parameters that is piecewise on P cells has cells
of that size in P.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import sympy

from theory.errors import TheoryError, did_you_mean

alpha_K, d, smoothness = sympy.symbols("alpha_K d t", positive=True)
ONE = sympy.Integer(1)

BAHRI = "Bahri et al. 2021, arXiv:2102.06701"
SHARMA = "Sharma and Kaplan 2022, J. Mach. Learn. Res. 23(9)"

KINDS = ("exact", "lower bound", "exponent of a distance")


class NoSuchExponent(TheoryError):
    """No exponent of that name is declared, or a quantity that it needs is missing."""


@final
@dataclass(frozen=True)
class Exponent:
    """One exponent: ``quantity ~ size^-formula``.

    Parameters
    ----------
    name
        How it is looked up.
    quantity
        What falls, in words.
    size
        What it falls with: "features", "examples", "width" or "parameters".
    formula
        In `alpha_K`, the dimension `d` and the `smoothness` t.
    kind
        "exact" (of the model, as its size grows), "lower bound" (of the exponent of a loss), or
        "exponent of a distance".
    assumptions
        Under which it holds, a sentence each.
    source
        Paper and section, or derivation.
    """

    name: str
    quantity: str
    size: str
    formula: sympy.Expr
    kind: str
    assumptions: tuple[str, ...]
    source: str
    symbols: Mapping[str, sympy.Symbol] = field(
        init=False,
        repr=False,
        compare=False,
        default_factory=lambda: {"alpha": alpha_K, "dimension": d, "smoothness": smoothness},
    )

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise NoSuchExponent(f"'{self.name}' has kind '{self.kind}'; known: {KINDS}.")

    def value(self, **quantities: float) -> float:
        """The exponent as a number.

        Parameters
        ----------
        **quantities
            Those that the formula needs, and no other: ``alpha=`` (alpha_K), ``dimension=``,
            ``smoothness=``; each positive.

        Raises
        ------
        NoSuchExponent
            If one is missing, superfluous or not positive.

        Examples
        --------
        >>> exponent("smooth_kernel").value(smoothness=3, dimension=8)
        0.375
        """
        needed = [n for n, s in self.symbols.items() if s in self.formula.free_symbols]
        if set(quantities) != set(needed):
            raise NoSuchExponent(
                f"exponent '{self.name}' is a formula in {', '.join(needed) or 'nothing'}; got "
                f"{', '.join(quantities) or 'nothing'}."
            )
        if wrong := [n for n, x in quantities.items() if not 0 < x < float("inf")]:
            raise NoSuchExponent(
                f"{wrong[0]} must be finite and positive; got {quantities[wrong[0]]}."
            )
        return float(self.formula.subs({self.symbols[n]: x for n, x in quantities.items()}))


GAUSSIAN = "Gaussian features, or features whose projections are nearly Gaussian."
ISOTROPIC = "An isotropic teacher: every feature has the same weight in the labels on average."
TUNED = "A ridge at its best value, or sizes far from the interpolation point P = D."
POWER = "A power-law spectrum, lambda_k ~ k^-(1 + alpha_K), beyond the modes that are resolved."
MANIFOLD = "Inputs with a bounded density on a compact manifold of dimension d."
LIPSCHITZ = "A teacher and a model that are Lipschitz."
SQUARED = "A loss that is quadratic at its least value, such as a squared error or a divergence."
REALISABLE = "No noise on the labels, and a model that fits every example."
CELLS = "A model with a number of cells proportional to P, placed as well as can be."

EXPONENTS: tuple[Exponent, ...] = (
    Exponent(
        *("examples_variance", "L(P, D) - L(P, inf), D >> P", "examples", ONE, "exact"),
        ("A loss that is smooth in the model's outputs.", "Examples drawn independently.", TUNED),
        f"{BAHRI}, variance-limited scaling; for random features P/(D - P - 1)",
    ),
    Exponent(
        *("width_variance", "L(P, D) - L(inf, D), P >> D", "width", ONE, "exact"),
        ("A limit of infinite width, with corrections of first order in 1/width.", TUNED),
        f"{BAHRI}, variance-limited scaling; for random features, P the width, D/(P - D - 1)",
    ),
    Exponent(
        *("deep_width_variance", "L(P, D) - L(inf, D), P >> D", "parameters", ONE / 2, "exact"),
        ("As width_variance.", "A deep network of fixed depth, with P ~ width^2 parameters."),
        f"{BAHRI}, variance-limited scaling, with the parameters of a multilayer network",
    ),
    Exponent(
        *("examples_resolution", "L(inf, D)", "examples", alpha_K, "exact"),
        (GAUSSIAN, ISOTROPIC, POWER),
        f"{BAHRI}, kernel realisation and duality",
    ),
    Exponent(
        *("features_resolution", "L(P, inf)", "features", alpha_K, "exact"),
        (GAUSSIAN, ISOTROPIC, POWER),
        f"{BAHRI}, kernel realisation and duality",
    ),
    Exponent(
        *("smooth_kernel", "L(inf, D) and L(P, inf)", "examples or features"),
        *(smoothness / d, "lower bound"),
        (
            MANIFOLD,
            "A positive definite kernel with t continuous derivatives, so that its eigenvalues "
            "fall at least as k^-(1 + t/d).",
            ISOTROPIC,
        ),
        f"{BAHRI}, kernel realisation, after Kuehn 1987 and Reade 1992; generically an equality",
    ),
    Exponent(
        *("neighbour_distance", "E |x - nearest of D examples|", "examples", 1 / d),
        "exponent of a distance",
        (MANIFOLD, "Examples drawn independently."),
        "Evans, Jones and Schmidt 2002, Proc. R. Soc. Lond. A 458; 2839",
    ),
    Exponent(
        *("cell_size", "diameter of one of P cells", "parameters", 1 / d),
        "exponent of a distance",
        (MANIFOLD, CELLS),
        f"{SHARMA}; {BAHRI}, resolution-limited scaling",
    ),
    Exponent(
        *("lipschitz_examples", "L(inf, D), absolute error", "examples", 1 / d, "lower bound"),
        (MANIFOLD, LIPSCHITZ, REALISABLE),
        f"{BAHRI}, resolution-limited scaling",
    ),
    Exponent(
        *("lipschitz_parameters", "L(P, inf), absolute error", "parameters", 1 / d, "lower bound"),
        (MANIFOLD, LIPSCHITZ, CELLS),
        f"{BAHRI}, resolution-limited scaling",
    ),
    Exponent(
        *("squared_examples", "L(inf, D)", "examples", 2 / d, "lower bound"),
        (MANIFOLD, LIPSCHITZ, REALISABLE, SQUARED),
        f"{BAHRI}, resolution-limited scaling",
    ),
    Exponent(
        *("squared_parameters", "L(P, inf)", "parameters", 2 / d, "lower bound"),
        (MANIFOLD, LIPSCHITZ, CELLS, SQUARED),
        f"{BAHRI}, resolution-limited scaling; {SHARMA}: piecewise constant models",
    ),
    Exponent(
        *("smooth_examples", "L(inf, D)", "examples", 4 / d, "lower bound"),
        (
            MANIFOLD,
            REALISABLE,
            SQUARED,
            "A teacher with bounded second derivatives, and piecewise linear interpolation.",
        ),
        f"{SHARMA}: piecewise linear models; {BAHRI}, resolution-limited scaling",
    ),
    Exponent(
        *("smooth_parameters", "L(P, inf)", "parameters", 4 / d, "lower bound"),
        (
            *(MANIFOLD, CELLS, SQUARED),
            "A teacher with bounded second derivatives, and a piecewise linear model, such as a "
            "network of rectified linear units.",
        ),
        f"{SHARMA}: piecewise linear models; {BAHRI}, resolution-limited scaling",
    ),
)
"""The four regimes, then bounds from smoothness and from dimension."""


def exponent(name: str) -> Exponent:
    """Look an exponent up by name.

    Raises
    ------
    NoSuchExponent
        If there is none; the message names the nearest.

    Examples
    --------
    >>> exponent("squared_examples").value(dimension=8)
    0.25
    """
    known = {one.name: one for one in EXPONENTS}
    if name not in known:
        raise NoSuchExponent(f"no exponent called '{name}'.{did_you_mean(name, known)}")
    return known[name]


def in_parameters(of_width: float, *, power: float = 2.0) -> float:
    """An exponent in the width as one in the number of parameters, ``P ~ width^power``.

    Parameters
    ----------
    of_width
        Exponent in the width.
    power
        2 for a deep network of fixed depth; 1 for random features, where P is the width; 3 where
        depth grows with width.

    Raises
    ------
    NoSuchExponent
        If `power` is not finite and positive.

    Examples
    --------
    >>> in_parameters(exponent("width_variance").value())
    0.5
    """
    if not 0 < power < float("inf"):
        raise NoSuchExponent(
            f"power, of parameters in the width, must be finite and positive; got {power}."
        )
    return of_width / power
