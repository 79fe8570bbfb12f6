"""What was lost of a damaged file, as a few sentences for the notes of a run."""

from dataclasses import dataclass, field

_SPANS_SHOWN = 3


@dataclass
class Damage:
    """Spans of a file that could not be read, and what else was lost in it.

    Parameters
    ----------
    source
        The file, for messages.
    """

    source: str
    _spans: list[tuple[int, int]] = field(default_factory=list)
    _cut: int = 0
    _counts: dict[str, int] = field(default_factory=dict)

    def span(self, start: int, end: int) -> None:
        """Bytes `start` up to `end` fail their checksum; the records in them are lost."""
        if self._spans and self._spans[-1][1] == start:
            self._spans[-1] = (self._spans[-1][0], end)
        else:
            self._spans.append((start, end))

    def cut(self, size: int) -> None:
        """The file ends within a record, of which `size` bytes are there."""
        self._cut += size

    def count(self, what: str, times: int = 1) -> None:
        """Something was left out, `times` times; `what` goes on after the number."""
        self._counts[what] = self._counts.get(what, 0) + times

    def __bool__(self) -> bool:
        return bool(self._spans or self._cut or self._counts)

    def notes(self) -> tuple[str, ...]:
        """The sentences."""
        found = []
        if self._spans:
            lost = sum(end - start for start, end in self._spans)
            where = ", ".join(f"{a} to {b - 1}" for a, b in self._spans[:_SPANS_SHOWN])
            more = len(self._spans) - _SPANS_SHOWN
            found.append(
                f"{self.source}: {lost} bytes are damaged (bytes {where}"
                f"{f' and {more} more places' if more > 0 else ''}); the records in them are lost."
            )
        if self._cut:
            found.append(
                f"{self.source}: the file ends within a record ({self._cut} bytes of it are "
                "there), which is lost; the run was stopped while it wrote, or the copy is "
                "incomplete."
            )
        found += [f"{self.source}: {times} {what}." for what, times in self._counts.items()]
        return tuple(found)
