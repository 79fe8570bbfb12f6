"""A page for each notebook: its words and its code, as they are kept, without outputs."""

import json
from pathlib import Path

from docs.markdown import code, page, table

TITLE, UNDER = "Notebooks", "Learn"

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def pages() -> dict[str, str]:
    """One page a notebook, and their list."""
    found = {path.stem: _page(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    rows = [
        [f"[{text.partition(chr(10))[0].removeprefix('# ')}]({name}.md)", f"`{name}.ipynb`"]
        for name, text in found.items()
    ]
    told = (
        "The notebooks run as tests, so that they hold for the version that they come with. They "
        "are kept without outputs: open them from `notebooks/` to see the figures."
    )
    listed = page("Notebooks", told, table(["notebook", "file"], rows))
    return {"notebooks/index.md": listed, **{f"notebooks/{n}.md": t for n, t in found.items()}}


def _page(path: Path) -> str:
    parts = [
        code(text) if cell["cell_type"] == "code" else text
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if (text := "".join(cell["source"])).strip()
    ]
    return "\n\n".join(parts) + "\n"
