"""Whose posterior a figure is of: of groups, the one named, or the population."""

from bayescale.errors import UsageError
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs

Fitted = AbstractPosterior | GroupPosterior
"""What a figure of a posterior takes: of one law, a stack, or groups."""


def groups_of(source: Fitted) -> GroupPosterior | None:
    """The groups of a posterior, also where it was saved as the joint one; None without any."""
    if isinstance(source, GroupPosterior):
        return source
    model = source.model if isinstance(source, Posterior) else None
    if isinstance(source, Posterior) and model is not None and model.pooling is not None:
        return GroupPosterior(source)
    return None


def chosen(source: Fitted, group: str | None) -> AbstractPosterior:
    """The posterior to draw: that of a group, of the population where none is named, or itself.

    Raises
    ------
    UsageError
        If a group is named that does not exist, or of a posterior without groups.
    """
    groups = groups_of(source)
    if groups is not None:
        return groups.population if group is None else groups.group(group)
    if group is not None:
        raise UsageError(
            f"group '{group}' is asked of a posterior without groups; leave group= (--group) out."
        )
    assert isinstance(source, AbstractPosterior)
    return source


def observed(source: AbstractPosterior) -> Runs:
    """The runs that were fitted.

    Raises
    ------
    UsageError
        If the draws came without runs.
    """
    tables = [post.observed for post in source.members.values() if post.observed is not None]
    if not tables:
        raise UsageError("these draws hold no runs; this figure is of a fit of runs.")
    return max(tables, key=lambda table: table.table.shape[1])


def one_law(source: Fitted, group: str | None) -> Posterior:
    """As `chosen`, where the figure is of the parameters of one law.

    Raises
    ------
    UsageError
        If the posterior is a stack of several laws.
    """
    found = chosen(source, group)
    if isinstance(found, Posterior):
        return found
    names = ", ".join(found.members)
    raise UsageError(
        f"this figure is of one law, and a stack has several ({names}); pass one of its members, "
        f"such as stack.members['{next(iter(found.members))}']."
    )
