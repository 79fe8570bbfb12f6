"""The text of the ladder: Python's own standard library, cut into sequences."""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from model import CONTEXT, EVAL_BATCH
from numpy.typing import NDArray

# Left out: tests (two thirds of the bytes), code tables and help texts that are not prose or
# programs, the IDE and demos, installed packages, and files that differ between installations.
SKIPPED_PARTS = {
    *("site-packages", "__pycache__", "test", "tests", "idle_test", "idlelib", "turtledemo"),
    *("encodings", "pydoc_data", "ensurepip", "lib-dynload"),
}
SKIPPED_PREFIXES = ("_sysconfigdata", "config-")
HELD_OUT_SHARE = 0.06  # of files, for the reported loss
TUNING_SHARE = 0.03  # of files, for choosing the learning rate
HELD_OUT_BYTES = 2**18
TUNING_BYTES = 2**16


@dataclass(frozen=True)
class Corpus:
    """The text, split by file.

    Parameters
    ----------
    train, held_out, tuning
        Bytes of shape ``(rows, CONTEXT)``.
    n_files, n_bytes
        Size of the whole text before the split.
    sha256
        Hash of all paths and contents in their order here.
    """

    train: NDArray[np.uint8]
    held_out: NDArray[np.uint8]
    tuning: NDArray[np.uint8]
    n_files: int
    n_bytes: int
    sha256: str


def _is_wanted(relative: Path) -> bool:
    return not SKIPPED_PARTS.intersection(relative.parts) and not any(
        part.startswith(SKIPPED_PREFIXES) for part in relative.parts
    )


def _rows(files: list[bytes]) -> NDArray[np.uint8]:
    text = np.frombuffer(b"".join(files), np.uint8)
    return text[: len(text) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)


def _sample(rows: NDArray[np.uint8], n_bytes: int) -> NDArray[np.uint8]:
    """Take evenly spaced rows holding `n_bytes`, or as many as there are."""
    n = min(n_bytes // CONTEXT, len(rows)) // EVAL_BATCH * EVAL_BATCH
    return rows[np.linspace(0, len(rows) - 1, n).astype(int)]


def load_corpus(root: Path | None = None) -> Corpus:
    """Read the corpus, in the order of a hash of each file's path.

    Parameters
    ----------
    root
        Folder to read ``.py`` files from; the standard library's if None.

    Returns
    -------
    Corpus
        Training, held-out and tuning text from disjoint sets of files.
    """
    base = Path(sysconfig.get_paths()["stdlib"]) if root is None else root
    keyed = []
    for path in base.rglob("*.py"):
        relative = path.relative_to(base)
        if _is_wanted(relative):
            keyed.append((hashlib.sha256(relative.as_posix().encode()).hexdigest(), path))
    parts: dict[str, list[bytes]] = {"held_out": [], "tuning": [], "train": []}
    total = hashlib.sha256()
    for key, path in sorted(keyed):
        text = path.read_bytes()
        total.update(key.encode() + text)
        place = int(key[:8], 16) / 2**32
        is_held, is_tuning = place < HELD_OUT_SHARE, place > 1 - TUNING_SHARE
        parts["held_out" if is_held else "tuning" if is_tuning else "train"].append(text)
    return Corpus(
        train=_rows(parts["train"]),
        held_out=_sample(_rows(parts["held_out"]), HELD_OUT_BYTES),
        tuning=_sample(_rows(parts["tuning"]), TUNING_BYTES),
        n_files=len(keyed),
        n_bytes=sum(len(text) for texts in parts.values() for text in texts),
        sha256=total.hexdigest(),
    )
