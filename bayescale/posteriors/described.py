"""What draws are of, as plain data for a file: model, verdict and record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayescale.diagnosis import Diagnosis
from bayescale.errors import PosteriorFileError, UsageError
from bayescale.models.model import Model
from theory.declaration.abstract_law import AbstractLaw
from theory.errors import TheoryError


def described(
    model: Model | None, diagnosis: Diagnosis, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Model, verdict and record as plain data.

    Raises
    ------
    UsageError
        If there is no model.
    """
    if model is None:
        raise UsageError("draws made elsewhere have no model to save; save them as a table.")
    verdict = {
        "refusals": diagnosis.refusals,
        "warnings": diagnosis.warnings,
        "notes": diagnosis.notes,
    }
    return {"model": model.to_dict(), "diagnosis": verdict, "record": dict(record)}


def parts_of(
    about: Mapping[str, Any], source: Path, law: AbstractLaw | None
) -> tuple[Model, Diagnosis, Mapping[str, Any]]:
    """Model, verdict and record from what `described` gave.

    Parameters
    ----------
    about
        The plain data.
    source
        The file that it is from.
    law
        The law, where it is not one of the catalogue.

    Raises
    ------
    PosteriorFileError
        If the data are damaged, or of a law that is not known.
    """
    try:
        model = Model.from_dict(about["model"], law=law)
        kinds = {kind: tuple(map(str, told)) for kind, told in about["diagnosis"].items()}
        return model, Diagnosis(**kinds), dict(about["record"])
    except (UsageError, TheoryError) as error:
        raise PosteriorFileError(f"'{source}' cannot be used: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PosteriorFileError(
            f"'{source}' cannot be used: what it says of its draws is damaged; fit again."
        ) from error
