"""What the gate and the audit say: why to doubt, and what was found that is no doubt."""

from typing import Any

import pandas as pd

from bayescale.diagnosis import Diagnosis
from bayescale.posteriors.checks import audited, own_cuts
from bayescale.reporting.blocks import Block, Bullets, Paragraph, Table
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject

LABELS = {"refusals": "Refused, because", "warnings": "Warnings", "notes": "Notes"}


def write(subject: Subject) -> list[Block]:
    """Refusals, warnings and notes of the gate; then the audit's; then forecasts of own runs."""
    record = subject.posterior.first.record
    table = audited.judge_audit(record)
    known = {*table.refusals, *table.warnings, *table.notes}
    gate = _without(subject.diagnosis, known)
    blocks: list[Block] = [Paragraph(f"The gate says {subject.diagnosis.status}.")]
    blocks += _lists(gate)
    if gate == Diagnosis():
        blocks.append(Paragraph("The gate has nothing to say against these draws."))
    if known:
        blocks.append(Paragraph("The audit of the table found, beside what the fit knows of it:"))
        blocks += _lists(table)
    elif "data_hash" in record:
        blocks.append(Paragraph("The audit of the table found nothing that the fit overlooks."))
    cuts: Any = record.get(own_cuts.KEY, ())
    if cuts:
        caption = (
            "Forecasts of the table's own larger runs from its smaller ones: slope of the error "
            "of the log loss per e-fold beyond, with its standard error, at each cut."
        )
        blocks.append(Table.of(pd.DataFrame([*cuts]).rename_axis("cut"), caption))
    return blocks


def _lists(found: Diagnosis) -> list[Block]:
    kinds = {label: getattr(found, kind) for kind, label in LABELS.items()}
    return [Bullets(label, tuple(told)) for label, told in kinds.items() if told]


def _without(whole: Diagnosis, known: set[str]) -> Diagnosis:
    """What the gate says of the draws; sentences of the audit, labelled or not, have their own."""
    parts = (whole.refusals, whole.warnings, whole.notes)
    return Diagnosis(
        *(tuple(s for s in part if not any(s.endswith(k) for k in known)) for part in parts)
    )


SECTION = Section(50, "What speaks against it", write)
