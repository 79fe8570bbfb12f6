"""The path of a page that a notebook shows: the page itself, in a frame."""

from html import escape
from pathlib import Path

HEIGHT = "44rem"
"""Of the frame."""


class FramedPage(Path):
    """Path of a page that was written; as the value of a notebook's cell it is the page itself.

    The frame holds the page's text, so that it shows wherever the notebook's files are served from,
    and nothing in it reaches the notebook around it.
    """

    def _repr_html_(self) -> str:
        """The page in a frame; a sentence where the file is gone."""
        if not self.is_file():
            return f"<p>there is no page at <code>{escape(str(self))}</code> any more.</p>"
        page = escape(self.read_text("utf-8"), quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts" title="{escape(self.name)}" '
            f'style="width: 100%; height: {HEIGHT}; border: 0"></iframe>'
        )
