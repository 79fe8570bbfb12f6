"""A page: sections in a template, every word escaped, one script of known hash, no address.

The page asks nothing of any network: its policy (a meta element) allows the styles within it,
images of its own bytes, and the one script whose hash it names. Data of the planner is JSON in
which ``<``, ``>`` and ``&`` are written as escapes, so that no run's name can end its element.
"""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale._version import __version__
from bayescale.atomic_write import require_writable, write_whole
from bayescale.diagnosis import Diagnosis, Status
from bayescale.errors import UsageError
from bayescale.reporting.blocks import Block, PlannerBlock

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 3_000_000
"""A page larger than this is refused: it would not open on a telephone."""

VERDICTS = {
    Status.OK: "The diagnostics found nothing against this.",
    Status.WARN: "Read the warnings before you act on this.",
    Status.REFUSE: "NOT TRUSTED: diagnostics refused this.",
}


@dataclass(frozen=True)
class Written:
    """A section that was written: its name, its title, and its blocks."""

    name: str
    title: str
    blocks: Sequence[Block]


def render(title: str, lead: str, diagnosis: Diagnosis, sections: Sequence[Written]) -> str:
    """The page as text.

    Parameters
    ----------
    title, lead
        Its heading, and a line below it.
    diagnosis
        What stands above everything else.
    sections
        What it holds, in their order.
    """
    blocks = [block for one in sections for block in one.blocks]
    script = _text("planner.js") if any(isinstance(b, PlannerBlock) for b in blocks) else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=title,
            lead=lead,
            diagnosis=diagnosis,
            verdict=VERDICTS[diagnosis.status],
            sections=sections,
            style=_style(),
            script=script,
            script_source=_safe(f"'sha256-{digest}'" if script else "'none'"),
            version=__version__,
        )
    )


def write_page(text: str, path: str | os.PathLike) -> Path:
    """Write a page; the file appears whole or not at all.

    Raises
    ------
    UsageError
        If the file is not called .html, or would be too large.
    OutputError
        If it cannot be written.
    """
    target = Path(path)
    require_page(target)
    content = text.encode("utf-8")
    if len(content) > MOST_BYTES:
        raise UsageError(
            f"the page would have {len(content) / 1e6:.1f} MB, and at most {MOST_BYTES / 1e6:g} MB "
            "are written; report fewer laws or groups at once."
        )
    return write_whole(target, content)


def require_page(path: Path) -> None:
    """Refuse a path that no page could be written to, before the work is done.

    Raises
    ------
    UsageError
        If it does not end in .html.
    OutputError
        If it could not be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"a page is written as HTML, so its name ends in .html; got '{path}'. Print it from a "
            "browser for a PDF."
        )
    require_writable(path)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(lambda name: _text(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    return files("bayescale.reporting").joinpath(name).read_text("utf-8")


def _style() -> Any:
    return _safe(_text("templates/page.css"))


def _safe(text: str) -> Any:
    """Text of the package's own, which is not escaped."""
    from markupsafe import Markup

    return Markup(text)
