"""What holds for every test: precision, checked shapes, and where the fetched datasets lie.

All of it happens on import, so that it also holds for doctests and notebooks, and before
`bayescale` or `theory` is imported.
"""

import os
from pathlib import Path

import jax
import jaxtyping
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FETCHED = ("epoch_chinchilla", "misfitting")
LONG = (
    "00_first_fit.ipynb",
    "01_admissible_laws.ipynb",
    "02_dynamics.ipynb",
    "03_random_features.ipynb",
    "04_plan_and_design.ipynb",
    "07_ladder.ipynb",
    "theory.learning.dmft.evaluate.log_loss_at",
    "theory.learning.dmft.evaluate.loss_curves",
    "theory.learning.dmft.ensembles.ensemble_loss",
    "theory.learning.rich_frontier.frontier",
)
"""Notebooks and doctests that are slow tests and cannot say so themselves."""

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compiling is most of the time of the tests, and the second run need not do it again. Notebooks
# and commands run in processes of their own, which read the environment.
_compiled = str(REPOSITORY / ".pytest_cache" / "jax")
jax.config.update("jax_compilation_cache_dir", _compiled)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

# Stays installed: every later import of the two packages is checked by jaxtyping and beartype, but
# for the interpreter of formulas, whose functions are called for every node of every formula and
# take no arrays of declared shape. The tower lets an int stand where a float is declared.
_unchecked = "theory.declaration.logdomain"
jaxtyping.install_import_hook(
    [
        name
        for package in ("bayescale", "theory")
        for path in sorted((REPOSITORY / package).rglob("*.py"))
        if path.name != "__init__.py"
        if (name := ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)) != _unchecked
    ],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

os.environ.setdefault("MPLBACKEND", "Agg")

_beside = REPOSITORY.parent / "shared" / "data"
if _beside.is_dir():
    os.environ.setdefault("BAYESCALE_DATA", str(_beside))


@pytest.fixture(scope="session")
def fetched() -> Path:
    """Folder of the datasets that are fetched, not shipped; the test is skipped without it."""
    folder = Path(os.environ.get("BAYESCALE_DATA", "."))
    if not all((folder / name).is_dir() for name in FETCHED):
        pytest.skip("the fetched datasets are not at hand; set BAYESCALE_DATA to their folder")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what cannot be marked where it stands.

    The law of the dynamics, which takes seconds to compile, is a slow case of every contract that
    runs over the catalogue.
    """
    for item in items:
        if item.name in LONG or "[dmft]" in item.name or "[dmft-" in item.name:
            item.add_marker(pytest.mark.slow)
