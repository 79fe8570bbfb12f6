"""What a report is about: a posterior, and what was made with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import pandas as pd

from bayescale.designing.design import Design
from bayescale.diagnosis import Diagnosis
from bayescale.errors import UsageError
from bayescale.planning.result import Plan
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.validation.calibrate import Calibration


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Parameters
    ----------
    posterior
        A posterior, or a stack; of groups the joint one.
    plan, design, calibration
        What was made with it; None where it was not.
    groups
        The groups, where the posterior is that of several.
    commands
        Lines that repeat the report, where they are known.
    """

    posterior: AbstractPosterior
    plan: Plan | None = None
    design: Design | None = None
    calibration: Calibration | None = None
    groups: GroupPosterior | None = None
    commands: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        posterior: object,
        plan: object = None,
        *,
        design: object = None,
        calibration: object = None,
        commands: Sequence[str] = (),
    ) -> "Subject":
        """From what a user passes; groups are told from a single posterior.

        Raises
        ------
        UsageError
            If the posterior or the plan is something else.
        """
        groups = posterior if isinstance(posterior, GroupPosterior) else None
        source = posterior.joint if isinstance(posterior, GroupPosterior) else posterior
        if not isinstance(source, AbstractPosterior):
            raise UsageError(
                "a report is about a posterior of `bayescale.fit`, one of groups, or a stack of "
                f"several (bayescale.stack); got {type(posterior).__name__}."
            )
        if not isinstance(plan, Plan | None):
            raise UsageError(
                f"the plan of a report is made by `bayescale.plan`; got {type(plan).__name__}."
            )
        if not isinstance(design, Design | None):
            raise UsageError(
                f"design= takes what `bayescale.design` gives; got {type(design).__name__}."
            )
        if not isinstance(calibration, Calibration | None):
            raise UsageError(
                f"calibration= takes what `bayescale.calibrate` gives; got "
                f"{type(calibration).__name__}."
            )
        model = source.first.model
        if groups is None and model is not None and model.pooling is not None:
            groups = GroupPosterior(cast(Posterior, source.first))
        return cls(source, plan, design, calibration, groups, tuple(commands))

    @property
    def diagnosis(self) -> Diagnosis:
        """The gate's verdict on all of it: each sentence once."""
        parts = [self.posterior, self.plan, self.design]
        whole = sum((one.diagnosis for one in parts if one is not None), Diagnosis())
        return Diagnosis(
            *(tuple(dict.fromkeys(s)) for s in (whole.refusals, whole.warnings, whole.notes))
        )

    @property
    def table(self) -> str:
        """What the table that was fitted is called."""
        return str(self.posterior.first.record.get("table", "given draws"))

    @property
    def runs(self) -> pd.DataFrame | None:
        """The runs that were fitted; None for given draws."""
        return self.posterior.runs

    @property
    def several(self) -> bool:
        """Whether it is a stack of several laws."""
        return len(self.posterior.members) > 1

    @cached_property
    def carried(self) -> dict[str, Posterior]:
        """Members by name, the one of most weight first."""
        weights = self.posterior.weights
        names = sorted(self.posterior.members, key=lambda name: -weights[name])
        return {name: self.posterior.members[name] for name in names}

    @property
    def carried_first(self) -> Posterior:
        """The member of most weight."""
        return next(iter(self.carried.values()))
