"""The subcommand ``report``: one page with everything that a posterior says."""

import shlex
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.cli.inputs import cost_of, numbers, source_of
from bayescale.cli.options import (
    Compute,
    Confidence,
    Cost,
    Force,
    Group,
    NoDrift,
    Present,
    Sources,
    TargetLoss,
)
from bayescale.cli.output import say, write
from bayescale.errors import DiagnosticsWarning, Exit, UsageError


def report(
    posterior: Sources,
    group: Group = None,
    compute: Compute = None,
    target: TargetLoss = None,
    confidence: Confidence = 0.9,
    present: Present = None,
    inference_tokens: Annotated[
        float, typer.Option(help="Tokens to be served; they are part of the budget.")
    ] = 0.0,
    unique_tokens: Annotated[
        float | None, typer.Option(help="Unique tokens; beyond, data repeat.")
    ] = None,
    price: Annotated[float | None, typer.Option(help="Price of a chip for an hour.")] = None,
    cost: Cost = "6ND",
    at: Annotated[
        list[str] | None,
        typer.Option(help="Any other resource of the law: --at sparsity=0.9. Repeat for each."),
    ] = None,
    next_runs: Annotated[
        float | None,
        typer.Option(help="FLOP for further runs, which are then designed for the last budget."),
    ] = None,
    single_law: Annotated[
        bool, typer.Option("--single-law", help="Design under one law of a fixed form.")
    ] = False,
    no_drift: NoDrift = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the page is written.")
    ] = Path("report.html"),
    force: Force = False,
) -> None:
    """Write one HTML page that needs no network: the answer, the plan, the fit, the doubts."""
    from bayescale.cost import Hardware
    from bayescale.designing.design import design as run_design
    from bayescale.planning.limits import Limits
    from bayescale.planning.plan import plan as run_plan
    from bayescale.reporting.page import require_page
    from bayescale.reporting.report import report as write_report

    require_page(output)
    if compute and target:
        raise UsageError("a report plans for --compute or for --target; got both, leave one out.")
    if next_runs is not None and not (compute or target):
        raise UsageError("--next-runs asks about a larger budget; give it as --compute too.")
    source = source_of(posterior, group)
    if no_drift:
        source = source.exact
    made = design = None
    warnings.simplefilter("ignore", DiagnosticsWarning)  # the page says them
    if compute or target:
        made = run_plan(
            source,
            compute=compute or None,
            target=target or None,
            confidence=confidence,
            present=numbers(present, "present"),
            cost=cost_of(cost, None, None, None),
            inference_tokens=inference_tokens,
            limits=Limits(unique_tokens=unique_tokens),
            hardware=None if price is None else Hardware(price=price),
            at=numbers(at, "at"),
            force=force,
        )
    if next_runs is not None and made is not None and made.compute.size:
        asked = float(made.compute[-1])
        design = run_design(
            source, next_runs, asked, cost=made.cost, single_law=single_law, force=force
        )
    repeat = _command(
        [path.name for path in posterior],
        {
            "group": group,
            "compute": compute,
            "target": target,
            "confidence": confidence if target else None,
            "present": present,
            "inference-tokens": inference_tokens or None,
            "unique-tokens": unique_tokens,
            "price": price,
            "cost": cost if made is not None else None,
            "at": at,
            "next-runs": next_runs,
            "single-law": single_law,
            "no-drift": no_drift,
            "force": force,
        },
    )
    page = write_report(source, made, output, design=design, commands=(repeat,), force=force)
    for reason in () if made is None else made.diagnosis.warnings:
        say(f"warning: {reason}")
    write(f"{page}")
    if made is not None and made.targets is not None and made.targets.reasons():
        raise typer.Exit(Exit.NOT_REACHED)


def _number(value: float) -> str:
    """A number in few letters, such as 1e+24, where that is the number itself."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _command(files: list[str], options: dict[str, Any]) -> str:
    """The command again, with the names of its files and the options that were given."""
    words = ["bayescale", "report", *files]
    for name, given in options.items():
        for one in given if isinstance(given, list) else [given]:
            if one is True:
                words.append(f"--{name}")
            elif one not in (None, False):
                words += [f"--{name}", _number(one) if isinstance(one, float) else str(one)]
    return shlex.join(words)
