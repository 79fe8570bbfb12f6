"""Read a law given as text, such as ``E + A*N**-alpha + B*D**-beta``; the text is never run.

`ast.parse` gives a tree, every node of which must stand in a whitelist and within limits; only
then is it built, from our own symbols, so that names which SymPy reserves (E, N, S, beta, lambda)
are names like any other. What each parameter does is read off the formula.
"""

import ast
import keyword
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import sympy

from bayescale.aliases import LAWS, canonical
from bayescale.errors import LimitError, UsageError
from theory import laws
from theory.admissibility.scaling import exact_weights
from theory.declaration import symbols as s
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.law import Law
from theory.declaration.symbols import RESOURCES, Parameter, Resource, Role
from theory.declaration.terms import monomial_powers
from theory.errors import LawError

MOST_CHARACTERS, MOST_PARTS, MOST_DEPTH = 500, 300, 30
MOST_POWER, MOST_POWER_OF_A_SUM, MOST_BITS, LARGEST, FINEST = 100, 10, 1000, 1e100, 10

AROUND_ONE = (0.5, 2.0)
"""Range of a covariate of which only the name is known."""

GIVEN_AS_TEXT = "given as text"
"""Source of a law that was read from a formula, and can be read again from it."""

_USUAL = ("N", "D", "C")
_PARTS = "names, numbers, + - * / **, parentheses, and exp, log, sqrt, min, max"
_TAKEN = re.compile(
    r"L|ell|loss|L_pivot|\w+_fraction|share_\w+|reducible_pivot"
)  # what a fit calls its own
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|[-+*/(),= ]|(?P<other>.)"
)
_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_ONE = {"exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt}
_FUNCTIONS: dict[str, Callable] = {**_ONE, "min": sympy.Min, "max": sympy.Max}


def looks_like_expression(text: str) -> bool:
    """Whether a text is a formula and not the name of a law.

    Examples
    --------
    >>> looks_like_expression("power-D"), looks_like_expression("E + A/N")
    (False, True)
    """
    return re.fullmatch(r"[\w-]+", text.strip()) is None


def find_law(
    law: str | AbstractLaw,
    *,
    resources: Sequence[str] | None = None,
    columns: Iterable[str] = (),
) -> AbstractLaw:
    """A law from its name in the catalogue or from a formula; a law is returned as it is.

    In a formula names are resources as in `parse_law`, and also where they are both a resource
    that bayescale knows (S, U, density, ...) and one of the `columns` of a table. A name that is
    raised to a power, as X in ``K/N**a/X**b``, and is a column of the table, is a covariate.

    Raises
    ------
    UnknownLaw
        If a name is not in the catalogue.
    UsageError, LimitError
        If a formula cannot be read; see `parse_law`.

    Examples
    --------
    >>> find_law("chinchilla").title, find_law("E + A/N**a").weights
    ('additive law', {...})
    """
    if isinstance(law, AbstractLaw):
        return law
    if not looks_like_expression(law):
        return laws.get(canonical("law", law, LAWS))
    if resources is None:
        columns = [str(name) for name in columns]
        resources = [*_USUAL, *(n for n in columns if n in RESOURCES and n not in _USUAL)]
        return parse_law(law, resources=resources, covariates=_raised(law, columns))
    return parse_law(law, resources=resources)


def parse_law(
    text: str,
    *,
    resources: Sequence[str] | None = None,
    covariates: Sequence[str] = (),
    name: str | None = None,
) -> Law:
    """Read a law; the roles of its parameters are recognised from the formula.

    The floor is a term of its own; a number in its place, as in ``1.6 + A*N**-alpha``, is a floor
    E that is held at it. Of the others, or those whose power is the rest, each has an
    amplitude: the one parameter that multiplies it and stands nowhere else. An exponent is in the
    power of a resource and does not cancel, as q does in ``((A/N)**q + (B/D)**q)**(1/q)``; q is a
    shape, as is all else.

    Parameters
    ----------
    text
        Names, numbers, ``+ - * / **``, parentheses and exp, log, sqrt, min, max; ``L =`` may
        stand before them. Parameters are positive.
    resources
        Names that are resources, by default N, D and C; those not in the text are left out.
    covariates
        Names of further columns that describe a run but are not spent.
    name
        Name of the law; ``"user"`` by default.

    Raises
    ------
    UsageError
        If the text cannot be read, or is not a law that can be learnt.
    LimitError
        If it is too large, or has anything in it that could be code.

    Examples
    --------
    >>> law = parse_law("E + A*N**-alpha + B*D**-beta")
    >>> {p.name: p.role.value for p in law.parameters}
    {'E': 'floor', 'A': 'amplitude', 'B': 'amplitude', 'alpha': 'exponent', 'beta': 'exponent'}
    """
    line, tree, names = _read(text)
    shown = _quoted(line)
    asked = _USUAL if resources is None else tuple(resources)
    known = {n: RESOURCES.get(n) or Resource(n, n, "units of the column") for n in asked}
    more = {n: Resource(n, n, "units of the column", typical=AROUND_ONE) for n in covariates}
    known = {**more, **known}
    order = [n for n in dict.fromkeys((*_USUAL, *names)) if n in names]
    used = {n: known[n] for n in order if n in known}
    unknown = {n: Parameter(n, Role.SHAPE, "").symbol for n in names if n not in known}
    symbols = unknown | {n: resource.symbol for n, resource in used.items()}
    formula = _built(tree, line, symbols)
    if not used or not unknown:
        raise UsageError(
            f"no {'parameter' if used else 'resource'} stands in the law {shown}; resources are "
            f"{', '.join(known) or 'none'}, and other names parameters, as in E + A*N**-alpha."
        )
    if gone := [n for n, symbol in symbols.items() if symbol not in formula.free_symbols]:
        raise UsageError(f"{', '.join(gone)} cancels from the law {shown}; leave it out.")
    if taken := [n for n in symbols if _TAKEN.fullmatch(n)]:
        raise UsageError(f"a fit has a '{taken[0]}' of its own; rename that in the law {shown}.")
    formula, held = _named_floor(formula, line, names)
    unknown |= {name: Parameter(name, Role.FLOOR, "").symbol for name in held}
    parameters = _parameters(formula, tuple(used.values()), tuple(unknown.values()))
    parameters = tuple(replace(p, held=held.get(p.name)) for p in parameters)
    try:
        law = Law(
            name=name or "user",
            title="user's law",
            resources=tuple(used.values()),
            parameters=parameters,
            formula=formula,
            floor=next((p for p in parameters if p.role is Role.FLOOR), None),
            weights=None,
            source=GIVEN_AS_TEXT,
            citation="",
        )
        with np.errstate(all="ignore"):  # all quantities are 1: only whether there are rules
            law.log_loss(dict.fromkeys(unknown, 0.0), dict.fromkeys(used, 0.0), np)
    except LawError as error:
        raise UsageError(f"the law {shown} cannot be computed: {error}") from error
    found = exact_weights(law)
    weights = None if found is None or found.free or found.idle else found.values
    return replace(law, weights=weights, kernel=sympy.S.NaN)  # made again from its formula


def _named_floor(
    formula: sympy.Expr, line: str, names: Sequence[str]
) -> tuple[sympy.Expr, dict[str, float]]:
    """The formula with a parameter for a number that stands alone, and its value by name."""
    number = sum(part for part in sympy.Add.make_args(formula) if part.is_number)
    if not number or number == formula or float(number) < 0:
        return formula, {}
    if alone := [x for x in sympy.Add.make_args(formula) if x.is_Symbol]:
        raise UsageError(
            f"{float(number):g} and {alone[0]} each stand alone in the law {_quoted(line)}, so "
            "only their sum can be learnt; keep one."
        )
    name = next(n for n in ("E", "L_inf", *(f"E_{i}" for i in range(99))) if n not in names)
    floor = s.floor(name)
    return formula - number + floor.symbol, {name: float(number)}


def _raised(text: str, columns: Sequence[str]) -> list[str]:
    """Those columns that stand in a formula as the base of a power."""
    bases = re.findall(r"([A-Za-z_]\w*)\s*\*\*", text)
    return [n for n in dict.fromkeys(columns) if n in bases and n not in RESOURCES]


def _read(text: str) -> tuple[str, ast.expr, list[str]]:
    """A text in one line, its tree, known to be harmless, and its names in order."""
    if len(text) > MOST_CHARACTERS:
        raise LimitError(f"the law has {len(text)} characters; shorten it to {MOST_CHARACTERS}.")
    line = re.sub(r"^L ?= ?(?!=)", "", " ".join(text.split()))
    if not line:
        raise UsageError("the law is empty; write one, as in E + A*N**-alpha.")
    names = _names(line)
    # Python keeps `lambda` to itself; a stand-in of six letters keeps every position.
    stand_in = next(n for i in range(len(line)) if (n := f"L{i:05d}") not in names)
    try:
        tree = ast.parse(re.sub(r"\blambda\b", stand_in, line), mode="eval").body
    except SyntaxError as error:
        raise UsageError(
            f"the law {_quoted(line)} cannot be read at character {error.offset} "
            f"({error.msg}); write products with *, and nothing but L = before the formula."
        ) from None
    except (RecursionError, MemoryError, ValueError):
        raise LimitError(f"the law {_quoted(line)} is too complicated; shorten it.") from None
    brackets = max(accumulate((c == "(") - (c == ")") for c in line))
    parts, depth, level = 0, 0, [tree]
    while level:
        parts, depth = parts + len(level), depth + 1
        if parts > MOST_PARTS or max(depth, brackets) > MOST_DEPTH:
            most = f"{MOST_PARTS} parts, nested {MOST_DEPTH} deep"
            raise LimitError(f"the law {_quoted(line)} is too large; shorten it to {most}.")
        for node in level:
            if isinstance(node, ast.Name) and node.id == stand_in:
                node.id = "lambda"
        level = [part for node in level for part in _operation(node, line)[1]]
    return line, tree, [n for n in dict.fromkeys(names) if n.lower() not in _FUNCTIONS]


def _names(line: str) -> list[str]:
    """Names in a text, which is refused where a character has no place in a formula."""
    names = []
    for token in _TOKEN.finditer(line):
        piece, after = token.group(), line[token.end() : token.end() + 1]
        if token["other"] in set("[]{}'\"`:;.\\"):
            raise _refusal(f"the character {piece!r}")
        if token["other"]:
            instead = "write powers with **" if piece == "^" else f"write it with {_PARTS}"
            raise UsageError(f"the character {piece!r} has no meaning in a law; {instead}.")
        if token["number"] and re.match(r"[\w.]", after):
            raise UsageError(f"the number {piece} runs into '{after}'; write products with *.")
        if token["name"] and ("__" in piece or (keyword.iskeyword(piece) and piece != "lambda")):
            raise _refusal(f"the name '{piece}'")
        names += [piece] * bool(token["name"])
    return names


def _operation(node: ast.expr, line: str) -> tuple[Callable, list[ast.expr]]:
    """How a node is computed, and from what; whatever is not listed here is refused."""
    piece = _quoted(line[node.col_offset : node.end_col_offset])
    match node:
        case ast.Name(name) if name.lower() in _FUNCTIONS:
            raise UsageError(f"the function {name} needs an argument in parentheses; give it one.")
        case ast.Name():
            return sympy.Symbol, []
        case ast.Constant(int() | float() as number) if not isinstance(number, bool):
            if not 1 / LARGEST <= number <= LARGEST:
                raise LimitError(f"{piece} is not between 1e-100 and 1e100; choose other units.")
            return sympy.Rational, []
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)], [left, right]
        case ast.UnaryOp(op, operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)], [operand]
        case ast.BinOp():
            raise UsageError(f"{piece} has an operator that no law has; write it with {_PARTS}.")
        case ast.Call(ast.Name(name), args, []) if name.lower() in _FUNCTIONS:
            if not args or (len(args) > 1 and name.lower() in _ONE):
                raise UsageError(f"{piece} gives {name} {len(args)} arguments; give it one.")
            return _FUNCTIONS[name.lower()], args
        case ast.Call(ast.Name(name)) if name.lower() not in _FUNCTIONS:
            raise _refusal(f"the call of '{name}'")
    raise _refusal(piece)


def _built(node: ast.expr, line: str, symbols: Mapping[str, sympy.Symbol]) -> sympy.Expr:
    if isinstance(node, ast.Name):
        return symbols[node.id]
    if isinstance(node, ast.Constant):
        return _coarse(sympy.Rational(str(node.value)))
    make, operands = _operation(node, line)
    parts = [_built(operand, line, symbols) for operand in operands]
    piece = _quoted(line[node.col_offset : node.end_col_offset])
    if make in (operator.pow, sympy.exp):
        # SymPy multiplies exponents out: (3**(90*x))**(90/x) would become a number.
        base, inner = parts[0].as_base_exp() if make is operator.pow else (parts[0], 1)
        most = MOST_POWER_OF_A_SUM if base.is_Add and make is operator.pow else MOST_POWER
        if any(abs(n) > most for n in (inner * parts[-1]).atoms(sympy.Number)):
            raise LimitError(f"the exponent in {piece} has a number over {most}; lower it.")
    if make is operator.pow:
        parts[1] = _coarse(parts[1])
    try:
        made = make(*parts)
    except (ArithmeticError, TypeError, ValueError):  # min and max of what may be complex
        made = sympy.nan
    number = made.evalf() if made.is_number else sympy.Integer(1)
    if not number.is_real or made.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise UsageError(f"{piece} is not a real number; correct or remove it.")
    digits = max((max(abs(n.p), n.q) for n in made.atoms(sympy.Rational)), default=0)
    if abs(number) > LARGEST or digits.bit_length() > MOST_BITS:
        raise LimitError(f"{piece} makes a number over {LARGEST:g} or of many digits; reduce it.")
    return made


def _coarse(expr: sympy.Expr) -> sympy.Expr:
    """Fine fractions as decimals: to a power of those, SymPy factors numbers without end."""
    fine = {n: n.evalf() for n in expr.atoms(sympy.Rational) if n.q > FINEST}
    return expr.xreplace(fine)  # pyright: ignore[reportReturnType]


def _parameters(
    formula: sympy.Expr, resources: Sequence[Resource], unknown: Sequence[sympy.Symbol]
) -> tuple[Parameter, ...]:
    """Floor, amplitudes, exponents, shapes; each in the order of `unknown`."""
    alone = [x for x in unknown if x in sympy.Add.make_args(formula)]
    floors = [x for x in alone if x not in (formula - x).free_symbols]
    if len(floors) > 1:
        both = " and ".join(x.name for x in floors)
        raise UsageError(f"{both} each stand alone, so only their sum can be learnt; keep one.")
    kernel, outer = formula - sum(floors), sympy.Integer(1)
    if isinstance(kernel, sympy.Pow) and isinstance(kernel.base, sympy.Add):
        kernel, outer = kernel.base, kernel.exp
    terms = sympy.Add.make_args(kernel)
    found = {x: s.floor(x.name) for x in floors}
    exponents: dict[sympy.Basic, dict[Resource, None]] = {}
    rests: dict[sympy.Basic, sympy.Symbol] = {}
    for term in terms:
        powers = monomial_powers(term)
        within = [r for r in resources if r.symbol in term.free_symbols]
        others = [outer, *(other for other in terms if other is not term), *powers.values()]
        others += [factor for factor in powers if factor not in unknown]
        own = [x for x in unknown if x in powers and not sympy.Tuple(*others).has(x)]
        x = _amplitude(term, own)
        rest = term.subs(x, 1)
        if rest in rests:
            raise UsageError(
                f"{rests[rest]} and {x} multiply the same '{rest}', so only their sum can be "
                "learnt; keep one."
            )
        rests[rest] = x
        if within and sympy.expand(powers[x] * outer) == 1:
            found[x] = s.amplitude(x.name, _jointly(within))
        elif [-powers.get(r.symbol, 0) for r in within] == [powers[x]]:
            found[x] = s.scale(x.name, within[0])
        else:
            found[x] = s.amplitude(x.name, _jointly(within), unit="set by the law")
        for r in within:
            bases = {p: monomial_powers(p.base) for p in term.atoms(sympy.Pow)}
            here = {y for p, base in bases.items() if r.symbol in base for y in p.exp.free_symbols}
            if r.symbol in powers:  # what cancels from the power of the whole is a shape
                whole = sympy.expand(powers[r.symbol] * outer).free_symbols
                here = here & whole or whole
            for y in here:
                exponents.setdefault(y, {})[r] = None
    found |= {x: s.exponent(x.name, _jointly([*exponents[x]])) for x in unknown if x in exponents}
    shapes = (x for x in unknown if x not in found)
    found |= {x: s.shape(x.name, f"shape {x} of the user's law") for x in shapes}
    return tuple(sorted((found[x] for x in unknown), key=lambda p: list(Role).index(p.role)))


def _amplitude(term: sympy.Expr, own: Sequence[sympy.Symbol]) -> sympy.Symbol:
    """The one symbol that multiplies a term and stands nowhere else."""
    if term.as_coeff_Mul()[0].is_negative:
        raise UsageError(f"the term '{term}' is negative, but a loss is a sum; write + before it.")
    if len(own) > 1:
        both = " and ".join(x.name for x in own)
        if known := " or ".join(x.name for x in own if x.name in RESOURCES):
            raise UsageError(
                f"{both} multiply the same term '{term}'; if {known} is a resource, name it in "
                "resources= (--resource), or have a column of that name in the table."
            )
        raise UsageError(
            f"{both} multiply the same term '{term}', so only one can be learnt; keep one."
        )
    if not own and not term.free_symbols:
        raise UsageError(
            f"the constant {term} stands alone; write the irreducible loss as one parameter, such "
            "as E, and fix it with prior={'E': ...} if it is known."
        )
    if not own:
        raise UsageError(
            f"the term '{term}' needs an amplitude, a parameter that multiplies it and stands "
            "nowhere else; write it as in A*N**-alpha, and an irreducible loss as in E."
        )
    return own[0]


def _jointly(resources: Sequence[Resource]) -> Resource:
    """Several resources as one, for the meaning of what belongs to all of them."""
    meaning = " and ".join(r.meaning for r in resources) or "constant"
    units = " * ".join(r.unit for r in resources)
    return Resource("", meaning, f"({units})" if " " in units else units)


def _refusal(what: str) -> LimitError:
    return LimitError(f"{what} is refused, as a law is never run as code; write only {_PARTS}.")


def _quoted(text: str) -> str:
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}...'"
