"""Posteriors in netCDF files: the draws, and beside them in one attribute what they are of."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from bayescale.atomic_write import replacing
from bayescale.errors import PosteriorFileError

FORMAT = 2
"""Version of the saved layout."""


def write_posterior(data: xr.DataTree, about: Mapping[str, Any], target: Path) -> Path:
    """Write draws and what they are of; the file appears whole or not at all.

    Raises
    ------
    PosteriorFileError
        If the file cannot be written.
    """
    tree = data.copy()
    tree.attrs["bayescale"] = json.dumps({"format": FORMAT, **about})
    try:
        with replacing(target) as partial:
            tree.to_netcdf(partial, engine="h5netcdf")
    except OSError as error:
        raise PosteriorFileError(
            f"the posterior cannot be written to '{target}': {error}; name another path."
        ) from error
    return target


def read_posterior(source: Path) -> tuple[xr.DataTree, dict[str, Any]]:
    """Read what `write_posterior` wrote.

    Raises
    ------
    PosteriorFileError
        If the file is missing, damaged, or of another format.
    """
    if not source.is_file():
        raise PosteriorFileError(
            f"there is no file '{source}'; make one with `bayescale fit TABLE -o {source}`."
        )
    try:
        with xr.open_datatree(source, engine="h5netcdf") as tree:
            data = tree.load()
        about = json.loads(data.attrs.pop("bayescale"))
    except (OSError, KeyError, ValueError) as error:
        raise PosteriorFileError(
            f"'{source}' is not a posterior saved by bayescale, or it is damaged; fit again."
        ) from error
    if about["format"] != FORMAT:
        raise PosteriorFileError(
            f"'{source}' has format {about['format']}, but this version reads {FORMAT}; "
            "fit again, or use the version named in it."
        )
    return data, about
