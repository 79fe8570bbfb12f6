"""Every link within the README and the pages leads to a file, and to a heading in it."""

import posixpath
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"`[^`\n]*`")


def slug(heading: str) -> str:
    """Anchor of a heading, as MkDocs makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def anchors(text: str) -> set[str]:
    bare = FENCE.sub("", text)
    headings = {slug(one) for one in re.findall(r"^#+ (.+)$", bare, re.MULTILINE)}
    return headings | {*re.findall(r"^::: (\S+)", bare, re.MULTILINE)}


def broken(pages: dict[str, str]) -> list[str]:
    found = []
    for path, text in pages.items():
        for target, anchor in LINK.findall(CODE.sub("code", FENCE.sub("", text))):
            if re.match(r"[a-z]+:", target):
                continue
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target or "."))
            place = path if not target else place
            if place not in pages and not (REPOSITORY / place).is_file():
                found.append(f"{path}: {target}")
            elif anchor and anchor not in anchors(pages[place]):
                found.append(f"{path}: {target}#{anchor}")
    return found


def test_every_link_leads_somewhere(pages):
    assert broken(pages) == []


def test_a_link_that_leads_nowhere_is_noticed():
    texts = {
        "docs/a.md": "# One thing\n[b](b.md#two-things) [c](c.md) [d](#one-thing) [e](b.md#none)",
        "docs/b.md": "# B\n## Two things\n```\n# None\n[f](f.md)\n```",
    }
    assert broken(texts) == ["docs/a.md: c.md", "docs/a.md: b.md#none"]


def test_every_written_page_is_in_the_navigation_and_every_section_is_known(generated):
    from docs.generators import GENERATORS

    text = (REPOSITORY / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r"^      - (\w+\.md)$", text, re.MULTILINE))
    assert named == {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    sections = set(re.findall(r"^  - (\w+):", text, re.MULTILINE))
    assert {kind.UNDER for kind in GENERATORS.values()} <= sections
    assert named.isdisjoint(generated)
