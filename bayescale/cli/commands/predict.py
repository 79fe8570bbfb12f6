"""The subcommand ``predict``: the loss at given sizes."""

from typing import Annotated, Any

import typer

from bayescale.cli.inputs import load_posterior, number, pairs
from bayescale.cli.options import AsJson, Force, Group, NoDrift, Saved
from bayescale.cli.output import json_out, say, show, untrusted


def predict(
    posterior: Saved,
    n: Annotated[list[float] | None, typer.Option("--N", help="Model size, parameters.")] = None,
    d: Annotated[list[float] | None, typer.Option("--D", help="Training data, tokens.")] = None,
    c: Annotated[list[float] | None, typer.Option("--C", help="Training compute, FLOP.")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(help="Any other resource of the law: --at density=0.5. Repeat for each."),
    ] = None,
    group: Group = None,
    noise: Annotated[bool, typer.Option(help="Include the scatter of a new run.")] = False,
    no_drift: NoDrift = False,
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
    for reason in prediction.reasons:
        say(f"warning: {reason}")
    show(prediction.summary(), index=False)
