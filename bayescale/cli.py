"""The command line: one subcommand a public function.

Results go to stdout (JSON with ``--json``), progress and warnings to stderr. Exit codes: 0 done,
1 internal error, 2 usage, 3 data, 4 limit, 5 diagnostics refused, 6 a target that no budget
reaches, 130 interrupted. Everything heavy is imported inside the commands, so that ``--help`` is
instant.
"""

import functools
import gc
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale._commands import (
    load_named,
    load_posterior,
    number,
    pairs,
    print_posterior,
    read_table,
    require_picture,
)
from bayescale._design_command import design
from bayescale._plan_command import plan
from bayescale._regime_command import regime
from bayescale._simulate_command import dmft
from bayescale._terminal import (
    json_out,
    progress_line,
    rows,
    say,
    show,
    untrusted,
    warnings_to_stderr,
    write,
)
from bayescale.errors import BayescaleError, DiagnosticsWarning, UsageError

app = typer.Typer(
    name="bayescale",
    help="From a table of training runs to a converged posterior and a compute-optimal plan.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

simulate = typer.Typer(help="Simulate models that theory describes.", no_args_is_help=True)
app.add_typer(simulate, name="simulate")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Force = Annotated[bool, typer.Option(help="Go on where diagnostics refuse; the output says so.")]
Saved = Annotated[Path, typer.Argument(help="A posterior saved by `bayescale fit -o`.")]
Table = Annotated[
    str, typer.Argument(help="CSV or Parquet file, `-` for stdin, or a dataset's name.")
]
Part = Annotated[
    str | None, typer.Option("--table", help="Which table of a dataset that holds several.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(help='Map a column: --column N="Model Size". Repeat for each.'),
]
Likelihood = Annotated[
    str,
    typer.Option(
        help="studentt (robust), normal, heteroscedastic, measured, contaminated, rounded, "
        "replicates, shared, curves or smooth_curves; options in parentheses, as in "
        "'rounded(step=0.01)'."
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
MAP = 'N="Model Size"'


def _version(asked: bool) -> bool:
    if asked:
        from bayescale._version import __version__

        typer.echo(__version__)
        raise typer.Exit
    return asked


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """From a table of training runs to a converged posterior and a compute-optimal plan."""


def command(function: Callable[..., None], into: typer.Typer = app) -> Callable[..., None]:
    """Register a subcommand: its errors become one sentence on stderr and an exit code."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        from theory.errors import TheoryError

        try:
            with warnings_to_stderr():
                function(*args, **kwargs)
        except BayescaleError as error:
            say(f"error: {error}")
            raise typer.Exit(error.exit_code) from error
        except TheoryError as error:
            say(f"error: {error}")
            raise typer.Exit(UsageError.exit_code) from error
        except KeyboardInterrupt as error:
            say("interrupted; nothing was written.")
            raise typer.Exit(130) from error

    into.command()(wrapped)
    return wrapped


@command
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the plots and the posterior.")] = Path(
        "bayescale-demo"
    ),
    seed: Seed = 0,
) -> None:
    """Fit the shipped ladder of small language models and plan beyond it."""
    from bayescale._demo import run

    run(out, seed=seed, progress=progress_line, show=show, say=write)


@command
def laws(as_json: AsJson = False) -> None:
    """List the laws of the catalogue."""
    from theory import laws as catalogue

    known = catalogue.catalogue().values()
    if as_json:
        entries = [
            {
                "name": law.name,
                "title": law.title,
                "formula": law.formula_text(),
                "latex": law.latex(),
                "resources": [r.name for r in law.resources],
                "parameters": {
                    p.name: {"meaning": p.meaning, "unit": p.unit, "role": str(p.role)}
                    for p in law.parameters
                },
                "weights": law.weights and {r.name: str(w) for r, w in law.weights.items()},
                "claims": list(law.claims),
                "contained_in": list(law.nests),
                "source": law.source,
                "verified": law.verified,
            }
            for law in known
        ]
        json_out({"laws": entries})
        return
    rows(
        ["law", "what it is", "in", "loss", "source"],
        [
            [
                law.name,
                law.title,
                " ".join(r.name for r in law.resources),
                law.formula_text(),
                law.source + ("" if law.verified else " (not checked against the source)"),
            ]
            for law in known
        ],
    )


@command
def check(
    law: Annotated[str, typer.Argument(help='A law: a name, or "E + A*N**-alpha + B*D**-beta".')],
    resource: Annotated[
        list[str] | None,
        typer.Option(help="In a formula: a further name that is a resource. Repeat for each."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a law against the scaling equation; exit 1 if something it claims is refuted."""
    from bayescale._check import check as run_check

    result = run_check(law, resources=["N", "D", "C", *resource] if resource else None)
    if as_json:
        json_out(result.to_dict())
    else:
        write(str(result))
    if result.broken:
        codes = ", ".join(verdict.code for verdict in result.broken)
        say(f"refuted although claimed: {codes}.")
        raise typer.Exit(1)


@command
def collapse(
    table: Table,
    part: Part = None,
    column: Columns = None,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw the collapse to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a table knows of the form of its law: which forms it excludes, and by how much."""
    from bayescale._collapse import collapse as run_collapse

    require_picture(output)
    runs = read_table(table, pairs(column, "column", MAP), part)
    with progress_line() as progress:
        result = run_collapse(runs, seed=seed, progress=progress)
    if output is not None:
        from bayescale import plots

        plots.save(plots.collapse(result), output)
    if as_json:
        json_out(result.to_dict())
        return
    show(result.summary())
    for reason in result.reasons:
        write(reason)


@command
def calibrate(
    table: Table,
    law: Annotated[
        list[str] | None,
        typer.Option(help="A law or a formula; repeat for several. Default: chinchilla and share."),
    ] = None,
    cut: Annotated[
        list[float] | None,
        typer.Option(help="Compute at which to cut; repeat. Default: five quantiles of the runs."),
    ] = None,
    likelihood: Likelihood = "studentt",
    part: Part = None,
    column: Columns = None,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw the calibration to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast the larger runs of a table from the smaller ones, and say whether that held."""
    from bayescale._calibrate import LAWS
    from bayescale._calibrate import calibrate as run_calibrate

    require_picture(output)
    runs = read_table(table, pairs(column, "column", MAP), part)
    with progress_line() as progress:
        result = run_calibrate(
            runs, law or LAWS, cuts=cut, likelihood=likelihood, seed=seed, progress=progress
        )
    if refused := list(result.table["status"]).count("refuse"):
        say(f"warning: diagnostics refused {refused} fits; their forecasts count all the same.")
    if output is not None:
        from bayescale import plots

        plots.save(plots.calibration(result), output)
    if as_json:
        json_out(result.to_dict())
        return
    show(result.summary())
    for reason in result.reasons:
        write(reason)


@command
def datasets(as_json: AsJson = False) -> None:
    """List the datasets that `fit` knows by name."""
    from bayescale.data import cards

    known = cards().values()
    if as_json:
        fields = ("name", "title", "source", "licence", "url", "sha256", "rows")
        entries = [
            {**{key: getattr(card, key) for key in fields}, "tables": list(card.tables)}
            for card in known
        ]
        json_out({"datasets": entries})
        return
    rows(
        ["dataset", "title", "tables", "licence"],
        [[c.name, c.title, str(max(1, len(c.tables))), c.licence] for c in known],
    )


@command
def fit(
    table: Table,
    law: Annotated[
        str, typer.Option(help="A law of `bayescale laws`, or a formula in N, D, C.")
    ] = "chinchilla",
    engine: Annotated[
        str, typer.Option(help="numpyro (NUTS), pymc (NUTS by PyMC) or laplace.")
    ] = "numpyro",
    likelihood: Likelihood = "studentt",
    part: Part = None,
    column: Columns = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(help="Column that names the group of a run, to pool; repeat to join several."),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(help='Set a prior: --prior "alpha=LogNormal(mu=-1.2, sigma=0.4)", or q=1.'),
    ] = None,
    no_drift: Annotated[
        bool, typer.Option("--no-drift", help="Take the law as exact beyond the runs.")
    ] = False,
    draws: Annotated[
        int | None, typer.Option(help="Draws a chain; default: until ESS 1000.")
    ] = None,
    chains: Annotated[int, typer.Option(help="Number of chains.")] = 4,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the posterior to this netCDF file.")
    ] = None,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Fit a law to a table of runs, or with --groups to groups of runs at once."""
    from bayescale._fit import fit as run_fit
    from bayescale.prior import Prior

    columns = pairs(column, "column", MAP)
    priors = {n: Prior.parse(v) for n, v in pairs(prior, "prior", "q=1").items()}
    if groups and no_drift:
        raise UsageError("--no-drift does not go with --groups; give it to `predict` instead.")
    runs = read_table(table, columns, part)
    options: dict[str, Any] = {"engine": engine, "likelihood": likelihood, "prior": priors}
    options |= {"draws": draws, "chains": chains, "seed": seed}
    with progress_line() as progress:
        if groups:
            from bayescale._groups import fit_groups

            posterior = fit_groups(runs, law, groups=groups, progress=progress, **options).joint
        else:
            options |= {"drift": None} if no_drift else {}
            posterior = run_fit(runs, law, progress=progress, **options)
    if output is not None:
        posterior.save(output)
    print_posterior(posterior, as_json, force)


@command
def summary(posterior: Saved, as_json: AsJson = False, force: Force = False) -> None:
    """Print the parameters and diagnostics of a saved posterior."""
    print_posterior(load_posterior(posterior), as_json, force)


@command
def compare(
    posteriors: Annotated[
        list[Path], typer.Argument(help="Two or more posteriors of one table, from `fit -o`.")
    ],
    by: Annotated[
        str,
        typer.Option(help="loo (leave one run out) or lfo (leave the larger runs out; refits)."),
    ] = "loo",
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Say which of several saved posteriors predicts runs better that it has not seen."""
    from bayescale._compare import compare as run_compare

    named = load_named(posteriors)
    warnings.simplefilter("always", DiagnosticsWarning)  # no other output says them
    result = run_compare(named, by=by, force=force)
    trusted = not any(posterior.diagnosis.refusals for posterior in named.values())
    if as_json:
        entries = result.reset_index().to_dict(orient="records")
        json_out({"by": by, "posteriors": entries, "trusted": trusted})
        return
    untrusted(trusted)
    show(result)


@command
def predict(
    posterior: Saved,
    n: Annotated[list[float] | None, typer.Option("--N", help="Model size, parameters.")] = None,
    d: Annotated[list[float] | None, typer.Option("--D", help="Training data, tokens.")] = None,
    c: Annotated[list[float] | None, typer.Option("--C", help="Training compute, FLOP.")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(help="Any other resource of the law: --at density=0.5. Repeat for each."),
    ] = None,
    group: Annotated[str | None, typer.Option(help="Group, where `fit --groups` was used.")] = None,
    noise: Annotated[bool, typer.Option(help="Include the scatter of a new run.")] = False,
    no_drift: Annotated[
        bool, typer.Option("--no-drift", help="Take the law as exact beyond the runs.")
    ] = False,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Predict the loss at given sizes; repeat --N and --D for several points."""
    given: dict[str, Any] = {k: v for k, v in (("N", n), ("D", d), ("C", c)) if v}
    given |= {k: number(k, v) for k, v in pairs(at, "at", "density=0.5").items()}
    saved = load_posterior(posterior, group)
    prediction = saved.predict(noise=noise, drift=not no_drift, force=force, **given)
    if as_json:
        json_out(prediction.to_dict())
        return
    untrusted(prediction.trusted)
    show(prediction.summary(), index=False)


command(plan)
command(design)
command(regime)
command(dmft, simulate)


def main() -> None:
    """Entry point of the ``bayescale`` command."""
    # A short process with small matrices: a pool of BLAS threads costs more than it gives, and
    # most objects made while importing live to the end, so looking for garbage finds none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 50, 50)
    # The library leaves JAX alone; a command line may keep compiled programs between processes.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache_folder() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    app()


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("bayescale")
