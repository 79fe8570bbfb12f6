"""Rules for every source file of the two packages that no linter checks."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = [p for package in ("bayescale", "theory") for p in (REPOSITORY / package).rglob("*.py")]
MOST_LINES = 450
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "parse_expr"}
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def unsafe(source: str) -> list[str]:
    """Ways in which a table, a law string or a saved posterior could run code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            strict = any(
                k.arg == "strict" and ast.unparse(k.value) == "True" for k in node.keywords
            )
            # strict=True converts numbers and expressions, but never parses text
            if name in {"sympify", "S"} and not strict:
                found.append(f"{name}() without strict=True")
            if isinstance(node.func, ast.Name) and name in UNSAFE_CALLS:
                found.append(f"{name}()")
            if any(keyword.arg == "allow_pickle" for keyword in node.keywords):
                found.append("allow_pickle")
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.partition(".")[0] in UNSAFE_MODULES]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_file_holds_one_idea_and_runs_no_foreign_code(path):
    source = path.read_text("utf-8")
    assert source.count("\n") <= MOST_LINES, "what second idea moved in?"
    assert unsafe(source) == []


@pytest.mark.parametrize(
    "source",
    ["eval(text)", "sympy.sympify(text)", "import pickle", "np.load(p, allow_pickle=True)"],
)
def test_foreign_code_is_noticed(source):
    assert len(unsafe(source)) == 1
