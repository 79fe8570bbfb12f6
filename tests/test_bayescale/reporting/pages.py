"""Pages as trees: what tests ask of HTML, by Python's own parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "input", "img", "br", "link"}
"""Elements without an end."""


@dataclass
class Element:
    """An element with its attributes, and its children and words in their order."""

    tag: str
    attributes: dict[str, str]
    parts: list["Element | str"] = field(default_factory=list)

    @property
    def children(self) -> list["Element"]:
        return [one for one in self.parts if isinstance(one, Element)]

    @property
    def words(self) -> list[str]:
        return [one for one in self.parts if isinstance(one, str)]

    def all(self, *tags: str) -> list["Element"]:
        found = [self] if self.tag in tags or not tags else []
        return found + [one for child in self.children for one in child.all(*tags)]

    @property
    def text(self) -> str:
        told = [one if isinstance(one, str) else f" {one.text} " for one in self.parts]
        return " ".join("".join(told).split())

    def by_id(self, name: str) -> "Element":
        (found,) = [one for one in self.all() if one.attributes.get("id") == name]
        return found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self.path = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        one = Element(tag, {name: value or "" for name, value in attrs})
        self.path[-1].parts.append(one)
        if tag not in VOID:
            self.path.append(one)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        one = Element(tag, {name: value or "" for name, value in attrs})
        self.path[-1].parts.append(one)

    def handle_endtag(self, tag: str) -> None:
        assert self.path[-1].tag == tag, f"</{tag}> ends <{self.path[-1].tag}>"
        self.path.pop()

    def handle_data(self, data: str) -> None:
        self.path[-1].parts.append(data)


def parsed(text: str) -> Element:
    """The tree of a page; an element that does not end where it should fails the test."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert parser.path == [parser.root]
    return parser.root
