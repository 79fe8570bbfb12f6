"""Which folder may import which: only those on rows below its own, also inside functions.

Folders on one row are blind to each other, and within a folder no files import each other in a
circle. `python tests/test_layers.py` draws the house: floors, and the arrows between its rooms.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# From the bottom up; theory's rooms lie below those of bayescale.
ROWS = {
    "theory": (
        "errors folder",
        "declaration",
        "learning optimum",
        "laws",
        "admissibility",
    ),
    "bayescale": (
        "errors progress registry notebook _version",
        "atomic_write forked",
        "aliases distributions runs cost diagnosis",
        "models logs auditing",
        "engines posteriors",
        "planning fitting",
        "validation designing forms",
        "plots",
        "reporting",
        "cli",
        "__main__",
    ),
}
MOST_FLOORS, MOST_ARROWS = 11, 144
NOT_IN_THEORY = {"bayescale", "numpyro", "pymc", "pandas", "arviz", "xarray"}

MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ROWS
    for path in sorted((REPOSITORY / package).rglob("*.py"))
}


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (name if name in MODULES else str(node.module) for name in names)


def room(module: str) -> str:
    """Folder, or file beside the folders, in which a module stands."""
    return ".".join(module.split(".")[:2])


def row(module: str) -> int:
    package, _, name = room(module).partition(".")
    for index, names in enumerate(ROWS[package]):
        if name in names.split():
            return index
    raise AssertionError(f"{module} stands on no row; add its folder to ROWS in {__file__}")


def wrong_imports(module: str, source: str) -> list[str]:
    package = module.partition(".")[0]
    wrong = []
    for name in imported(source):
        root = name.partition(".")[0]
        if package == "theory" and root in NOT_IN_THEORY:
            wrong.append(f"{module} imports {name}, but theory is mathematics only")
        elif root == package and room(name) != room(module) and row(name) >= row(module):
            wrong.append(f"{module} imports {name}, whose folder is on no row below")
    return wrong


def arrows(inside: str = "") -> dict[str, set[str]]:
    """Module -> modules of the two packages that it imports; those of one folder if it is named."""
    own = {name: path for name, path in MODULES.items() if room(name) == inside or not inside}
    return {
        name: {m for m in imported(path.read_text("utf-8")) if m in own and m != name}
        for name, path in own.items()
    }


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that form a circle, in order; none where there is no circle."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for other in graph.get(name, ()):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := walk(name, []))), [])


def house() -> dict[str, set[str]]:
    """Room -> rooms that it imports; all of theory is one room."""

    def called(module: str) -> str:
        return "theory" if module.startswith("theory") else room(module)

    found: dict[str, set[str]] = {}
    for module, others in arrows().items():
        if module != "bayescale":  # a face, which only hands names on
            found.setdefault(called(module), set()).update(map(called, others))
    return {name: others - {name, "bayescale"} for name, others in found.items()}


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Floor of each room: one above the highest that it imports."""
    found: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((floor(other) for other in graph[name]), default=0)
        return found[name]

    for name in graph:
        floor(name)
    return found


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_a_folder_imports_only_folders_on_rows_below(module):
    assert wrong_imports(module, MODULES[module].read_text("utf-8")) == []


@pytest.mark.parametrize("folder", sorted({room(name) for name in MODULES if "." in name}))
def test_files_of_a_folder_import_each_other_in_no_circle(folder):
    assert circle(arrows(folder)) == []


def test_the_house_has_few_floors_few_arrows_and_no_circle():
    graph = house()
    assert circle(graph) == []
    assert max(floors(graph).values()) <= MOST_FLOORS
    assert sum(map(len, graph.values())) <= MOST_ARROWS


def test_no_file_within_a_folder_is_called_private():
    private = [n for n in MODULES if n.rpartition(".")[2].startswith("_") and n.count(".") > 1]
    assert private == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("theory.declaration.law", "import bayescale"),
        ("theory.declaration.law", "from bayescale.runs.table import Runs"),
        ("theory.declaration.law", "def f():\n    import pandas as pd"),
        ("theory.declaration.law", "from theory import laws"),
        ("bayescale.errors", "import bayescale.cli.app"),
        ("bayescale.runs.table", "from bayescale.distributions import prior"),
        ("bayescale.posteriors.posterior", "from bayescale.plots.figures.fit import fit"),
        ("bayescale.posteriors.posterior", "def f():\n    from bayescale.engines import mode"),
    ],
)
def test_an_import_from_above_or_beside_is_caught(module, source):
    assert len(wrong_imports(module, source)) == 1


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_datasets_hold_no_package():
    assert list((REPOSITORY / "datasets").rglob("__init__.py")) == []


def draw() -> Iterator[str]:
    graph = house()
    high = floors(graph)
    for name in sorted(graph, key=lambda one: (-high[one], one)):
        below = ", ".join(sorted(other.rpartition(".")[2] for other in graph[name]))
        yield f"{high[name]:2d}  {name.rpartition('.')[2]:14s} <- {below}"
    yield f"{max(high.values())} floors, {sum(map(len, graph.values()))} arrows between rooms"


if __name__ == "__main__":
    print("\n".join(draw()))  # noqa: T201
