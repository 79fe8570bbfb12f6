"""The subcommand ``plan``: its options, and what it prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescale.cli.inputs import cost_of, numbers, require_picture, source_of
from bayescale.cli.options import (
    Compute,
    Confidence,
    Cost,
    Group,
    NoDrift,
    Present,
    Sources,
    TargetLoss,
)
from bayescale.cli.output import json_out, say, show, untrusted, write
from bayescale.errors import Exit
from bayescale.planning.objectives import FOR_A_TARGET, OBJECTIVES

if TYPE_CHECKING:
    from bayescale.planning.result import Plan


def plan(
    posterior: Sources,
    group: Group = None,
    compute: Compute = None,
    target: TargetLoss = None,
    confidence: Confidence = 0.9,
    allocation: Annotated[
        list[str] | None,
        typer.Option(help="Judge a plan: --allocation N=7e9 --allocation D=2e12."),
    ] = None,
    present: Present = None,
    money: Annotated[float | None, typer.Option(help="Budget in money; needs --price.")] = None,
    cost: Cost = "6ND",
    objective: Annotated[
        str | None,
        typer.Option(
            help=f"At a budget: {', '.join(OBJECTIVES)}, some with a level as in cvar(0.9); for a "
            f"target: {', '.join(FOR_A_TARGET)}."
        ),
    ] = None,
    inference_tokens: Annotated[
        float, typer.Option(help="Tokens to be served; they are part of the budget.")
    ] = 0.0,
    unique_tokens: Annotated[
        float | None, typer.Option(help="Unique tokens; beyond, data repeat.")
    ] = None,
    n_max: Annotated[float | None, typer.Option("--n-max", help="Most parameters.")] = None,
    d_max: Annotated[float | None, typer.Option("--d-max", help="Most tokens.")] = None,
    size: Annotated[
        list[float] | None, typer.Option(help="An N that may be trained; repeat for each.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(help="A shape that may be trained, LAYERSxWIDTH as in 24x2048; repeat."),
    ] = None,
    active: Annotated[float | None, typer.Option(help="Active parameters (cost moe).")] = None,
    total: Annotated[float | None, typer.Option(help="Total parameters (cost moe).")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(help="Any other resource of the law: --at sparsity=0.9. Repeat for each."),
    ] = None,
    chip: Annotated[
        str | None, typer.Option(help="Chip, such as h100 (the default), a100, b200, tpu-v5p.")
    ] = None,
    mfu: Annotated[
        float | None, typer.Option(help="Share of the dense peak in training; default 0.4.")
    ] = None,
    inference_mfu: Annotated[
        float | None, typer.Option(help="The same in serving; counts with --objective money.")
    ] = None,
    price: Annotated[float | None, typer.Option(help="Price of a chip for an hour.")] = None,
    gpus: Annotated[float | None, typer.Option(help="Number of chips.")] = None,
    hours: Annotated[
        float | None, typer.Option(help="Limit of wall-clock hours of training; needs --gpus.")
    ] = None,
    batch: Annotated[float | None, typer.Option(help="Tokens a batch.")] = None,
    no_drift: NoDrift = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Draw the valley (of targets: the risk) to this file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    force: Annotated[
        bool, typer.Option(help="Go on where diagnostics refuse; the output says so.")
    ] = False,
) -> None:
    """Spend a budget, find the budget for a target loss, or judge a plan.

    For what no budget reaches with the confidence asked, the surest budget is planned, and an exit
    code says so.
    """
    from bayescale.cost import Hardware
    from bayescale.planning.limits import Limits
    from bayescale.planning.plan import plan as run_plan

    require_picture(output)
    chips = {
        "chip": chip,
        "utilisation": mfu,
        "serving_utilisation": inference_mfu,
        "price": price,
        "gpus": gpus,
    }
    told = {name: value for name, value in chips.items() if value is not None}
    result = run_plan(
        source_of(posterior, group),
        compute=compute or None,
        target=target or None,
        confidence=confidence,
        allocation=numbers(allocation, "allocation"),
        present=numbers(present, "present"),
        money=money,
        hours=hours,
        cost=cost_of(cost, shape, active, total),
        objective=objective,
        inference_tokens=inference_tokens,
        limits=Limits(
            N_max=n_max, D_max=d_max, unique_tokens=unique_tokens, sizes=tuple(size or ())
        ),
        hardware=Hardware(**told) if told else None,
        at=numbers(at, "at"),
        batch=batch,
        drift=not no_drift,
        force=force,
    )
    for reason in result.diagnosis.warnings:
        say(f"warning: {reason}")
    if output is not None:
        from bayescale import plots

        drawing = plots.valley if result.targets is None else plots.target
        plots.save(drawing(result), output)
    if as_json:
        json_out(result.to_dict())
    else:
        untrusted(result.trusted)
        _print(result)
    if result.targets is not None and result.targets.reasons():
        raise typer.Exit(Exit.NOT_REACHED)


def _print(result: "Plan") -> None:
    if result.targets is not None:
        show(result.targets.summary())
    if not result.compute.size:
        return
    show(result.summary())
    if result.present is not None:
        show(result.present.summary())
    if len(result.source.members) > 1:
        write("what each law would say alone:")
        show(result.laws())
    if result.hardware is not None or not result.line.plain:
        show(result.bill())
    for sentence in result.advice():
        write(sentence)
