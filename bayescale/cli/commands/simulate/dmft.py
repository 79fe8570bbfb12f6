"""The subcommand ``simulate dmft``: random-feature models, drawn and trained."""

import math
from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.output import json_out, progress_line, say, show
from bayescale.cli.signals import Stopped


def dmft(
    output: Annotated[
        Path, typer.Argument(help="Parquet file to make; the same call goes on with it.")
    ],
    a: Annotated[float, typer.Option(help="Power of the target in mode k: p_k = k^-a.")],
    b: Annotated[float, typer.Option(help="Eigenvalue of mode k: lambda_k = k^-b.")],
    n: Annotated[list[float], typer.Option("--N", help="Features; repeat for several.")],
    t: Annotated[list[float], typer.Option(help="Times, or numbers of steps; repeat.")],
    p: Annotated[
        list[float] | None, typer.Option("--P", help="Samples; repeat. Infinite by default.")
    ] = None,
    modes: Annotated[int, typer.Option(help="Modes of the task.")] = 500,
    noise: Annotated[float, typer.Option(help="Variance of the label noise.")] = 0.0,
    dynamics: Annotated[
        str, typer.Option(help="flow, descent, heavy-ball, ridge or sgd.")
    ] = "flow",
    learning_rate: Annotated[float | None, typer.Option(help="Of descent and sgd.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of heavy-ball.")] = None,
    penalty: Annotated[float | None, typer.Option(help="Of ridge.")] = None,
    batch: Annotated[float | None, typer.Option(help="Samples a step of sgd.")] = None,
    observable: Annotated[str, typer.Option(help="test, train or gap.")] = "test",
    draws: Annotated[int, typer.Option(help="Draws of projection and samples.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Draw and train random-feature models: mean loss with its standard error."""
    from bayescale.runs.simulated_dynamics import simulate_dmft

    given = {
        "learning_rate": learning_rate,
        "momentum": momentum,
        "penalty": penalty,
        "batch": batch,
    }
    try:
        with progress_line() as progress:
            table = simulate_dmft(
                output,
                a=a,
                b=b,
                N=n,
                P=p or [math.inf],
                t=t,
                modes=modes,
                noise=noise,
                dynamics=dynamics,
                observable=observable,
                draws=draws,
                seed=seed,
                progress=progress,
                **{name: value for name, value in given.items() if value is not None},
            )
    except (KeyboardInterrupt, Stopped):
        say(f"finished draws are in '{output}', and the same call goes on from there.")
        raise
    if as_json:
        json_out({"points": table.to_dict(orient="records"), "seed": seed})
        return
    show(table, index=False)
