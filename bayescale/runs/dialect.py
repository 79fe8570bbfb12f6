"""The dialect of a table of text: what separates its columns, and its decimal point or comma."""

from collections.abc import Mapping
from dataclasses import dataclass

from bayescale.errors import UsageError

_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "semicolon": ";", "comma": ",", "bar": "|"}


@dataclass(frozen=True)
class Dialect:
    """What is declared of a text; what is not is as the ending of its name says.

    Parameters
    ----------
    separator
        One character between the cells of a row: `;`, `,`, `|`, a tab (also `tab`), a space.
    decimal
        `.` or `,`. Where it is declared, the other of the two separates thousands.
    """

    separator: str | None = None
    decimal: str | None = None

    @classmethod
    def of(cls, stated: "Mapping[str, str] | Dialect | None") -> "Dialect":
        """Return the dialect that a mapping states.

        Raises
        ------
        UsageError
            A key or a value is none of those allowed.
        """
        if stated is None or isinstance(stated, cls):
            return stated or cls()
        if not isinstance(stated, Mapping) or not {*stated} <= {"separator", "decimal"}:
            raise UsageError(
                f'dialect is {stated!r}; it must be like {{"separator": ";", "decimal": ","}}.'
            )
        separator, decimal = stated.get("separator"), stated.get("decimal")
        separator = _NAMED.get(str(separator), separator)
        if separator is not None and not _separates(separator):
            raise UsageError(
                f"the separator is {separator!r}; it must be one character such as ';' or ',', or "
                "the word tab."
            )
        if decimal not in (None, ".", ","):
            raise UsageError(f"the decimal is {decimal!r}; it must be '.' or ','.")
        return cls(separator, decimal)


def _separates(text: object) -> bool:
    return (
        isinstance(text, str)
        and len(text) == 1
        and text.isascii()
        and (text.isprintable() or text == "\t")
        and not text.isalnum()
        and text not in "\"'.+-"
    )
