"""The subcommand ``fit``: from a table and a law to a posterior."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.atomic_write import require_writable
from bayescale.cli.inputs import pairs, print_posterior
from bayescale.cli.options import (
    AsJson,
    Engine,
    Force,
    Likelihood,
    NoDrift,
    Seed,
    Table,
)
from bayescale.cli.output import progress_line
from bayescale.cli.table_options import Read, reads_table, unread
from bayescale.models.defaults import LAW, LIKELIHOOD


@reads_table
def fit(
    table: Table,
    law: Annotated[
        str, typer.Option(help="A law of `bayescale laws`, or a formula in N, D, C.")
    ] = LAW,
    engine: Engine = "numpyro",
    likelihood: Likelihood = LIKELIHOOD,
    read: Read = unread,
    groups: Annotated[
        list[str] | None,
        typer.Option(help="Column that names the group of a run, to pool; repeat to join several."),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            help='Set a prior: --prior "alpha=LogNormal(mu=-1.2, sigma=0.4)", or fix: E=1.6, q=1.'
        ),
    ] = None,
    no_drift: NoDrift = False,
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
    from bayescale.distributions.prior import Prior
    from bayescale.fitting.fit import fit as run_fit

    if output is not None:
        require_writable(output)
    priors = {n: Prior.parse(v) for n, v in pairs(prior, "prior", "q=1").items()}
    runs = read(table)
    options: dict[str, Any] = {"engine": engine, "likelihood": likelihood, "prior": priors}
    options |= {"draws": draws, "chains": chains, "seed": seed}
    options |= {"drift": None} if no_drift else {}
    with progress_line() as progress:
        if groups:
            from bayescale.fitting.groups import fit_groups

            posterior = fit_groups(runs, law, groups=groups, progress=progress, **options).joint
        else:
            posterior = run_fit(runs, law, progress=progress, **options)
    if output is not None:
        posterior.save(output)
    print_posterior(posterior, as_json, force)
