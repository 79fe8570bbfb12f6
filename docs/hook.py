"""What MkDocs asks of this project: the generated pages, their navigation, formulas as MathML."""

import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.generators import GENERATORS

FENCE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
"""Code, in which a dollar sign is a dollar sign."""

DISPLAYED, INLINE = re.compile(r"\$\$(.+?)\$\$", re.DOTALL), re.compile(r"\$([^$\n]+)\$")


def on_config(config: Any) -> Any:
    """Put the generated pages below the sections that their generators name."""
    sections = {title: entries for one in config.nav for title, entries in one.items()}
    made: dict[str, str] = {}
    for kind in GENERATORS.values():
        own = kind.pages()
        pages = [*own] if len(own) == 1 else [{kind.TITLE: [*own]}]
        sections[kind.UNDER].extend(pages)
        made |= own
    config.extra["made"] = made
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages to the files of the site."""
    for path, text in config.extra["made"].items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn formulas into MathML, which browsers show without any program."""
    parts = FENCE.split(markdown)
    return "".join(part if FENCE.fullmatch(part) else _formulas(part) for part in parts)


def _formulas(text: str) -> str:
    text = DISPLAYED.sub(lambda found: convert(found[1].strip(), display="block"), text)
    return INLINE.sub(lambda found: convert(found[1]), text)
