"""Posteriors in netCDF files: the draws, and beside them in one attribute what they are of.

After the netCDF comes the SHA-256 of it, which readers of netCDF pass over: a file that was damaged
is noticed before anything in it is believed. A file that other programs wrote anew has none.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import xarray as xr

from bayescale.atomic_write import write_whole
from bayescale.errors import PosteriorFileError

SCHEMA = 3
"""Version of the saved layout."""

READABLE = (2, SCHEMA)
"""Versions that are read: 2 has neither stacks nor a checksum."""

KIND = "posterior"
"""What a file holds unless it says otherwise."""

TRAILER = re.compile(rb"\nsha256 ([0-9a-f]{64})\n")
"""What follows the netCDF."""

TRAILER_BYTES = 73


def write_posterior(data: xr.DataTree, about: Mapping[str, Any], target: Path) -> Path:
    """Write draws and what they are of; the file appears whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    tree = data.copy()
    tree.attrs["bayescale"] = json.dumps({"format": SCHEMA, **about})
    # In memory, as HDF5 crashes where a disk is full.
    image = bytes(tree.to_netcdf(engine="h5netcdf"))
    return write_whole(target, image + f"\nsha256 {hashlib.sha256(image).hexdigest()}\n".encode())


def read_posterior(source: Path) -> tuple[xr.DataTree, dict[str, Any]]:
    """Read what `write_posterior` wrote, of one law or a stack.

    Raises
    ------
    PosteriorFileError
        If the file is missing, damaged, or of a newer version.
    """
    if not source.is_file():
        raise PosteriorFileError(
            f"there is no file '{source}'; make one with `bayescale fit TABLE -o {source}`."
        )
    try:
        with source.open("rb") as stream:
            intact = _is_intact(stream)
        if not intact:
            raise PosteriorFileError(
                f"'{source}' is damaged: its content is not that of its checksum; fit again."
            )
        with xr.open_datatree(source, engine="h5netcdf") as tree:
            data = tree.load()
        about = json.loads(data.attrs.pop("bayescale"))
        version = about["format"]
    except PermissionError as error:
        raise PosteriorFileError(
            f"'{source}' may not be read: permission denied; change its mode."
        ) from error
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        if isinstance(error, PosteriorFileError):
            raise
        raise PosteriorFileError(
            f"'{source}' is not a posterior saved by bayescale, or it is damaged; fit again."
        ) from error
    if version not in READABLE:
        newer = isinstance(version, int) and version > SCHEMA
        raise PosteriorFileError(
            f"'{source}' is of schema {version}, but this version of bayescale reads "
            f"{', '.join(map(str, READABLE))}; "
            + ("install a newer bayescale, or fit again." if newer else "fit again.")
        )
    return data, about


def require_kind(about: Mapping[str, Any], kind: str, source: Path) -> None:
    """Refuse a file that holds something else than ``"posterior"`` or ``"stack"``.

    Raises
    ------
    PosteriorFileError
        If it does.
    """
    found = about.get("kind", KIND)
    if found != kind:
        reader = {"posterior": "bayescale.Posterior.load", "stack": "bayescale.Stack.load"}
        raise PosteriorFileError(
            f"'{source}' holds a {found} and not a {kind}; read it with "
            f"{reader.get(found, 'the program that wrote it')}."
        )


def _is_intact(stream: BinaryIO) -> bool:
    """Whether a file is what its checksum says; one without a checksum is taken as it is."""
    size = stream.seek(0, os.SEEK_END)
    if size < TRAILER_BYTES:
        return True
    stream.seek(-TRAILER_BYTES, os.SEEK_END)
    told = TRAILER.fullmatch(stream.read())
    if told is None:
        return True
    stream.seek(0)
    digest, rest = hashlib.sha256(), size - TRAILER_BYTES
    while rest and (block := stream.read(min(rest, 1 << 20))):
        digest.update(block)
        rest -= len(block)
    return digest.hexdigest().encode() == told[1]
