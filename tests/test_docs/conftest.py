"""The sources of the documentation: what is written, and what is generated from the registries."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))  # `docs` is no part of what is installed


@pytest.fixture(scope="session")
def generated() -> dict[str, str]:
    """Markdown of each generated page, by its path below ``docs``."""
    from docs.generators import every_page

    return every_page()


@pytest.fixture(scope="session")
def pages(generated: dict[str, str]) -> dict[str, str]:
    """Markdown of every page, and of the README, by its path from the repository."""
    written = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    texts = {str(path.relative_to(REPOSITORY)): path.read_text("utf-8") for path in written}
    return texts | {f"docs/{path}": text for path, text in generated.items()}
