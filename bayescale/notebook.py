"""How a result shows itself in a notebook: the verdict first, then a short table, all escaped.

A notebook asks an object for `_repr_html_`. Everything that has a verdict or a table mixes `Shown`
in, so that no class writes HTML of its own; in a terminal the one line of `repr` stays.
"""

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MOST_REASONS, MOST_ROWS, MOST_COLUMNS = 5, 12, 12
"""A notebook shows no more of each; the object itself holds all."""


def verdict_html(diagnosis: Any) -> str:
    """A verdict with its reasons, escaped."""
    return f"<div><p>{_verdict(diagnosis)}</p>{_bullets([*diagnosis.reasons])}</div>"


class Shown:
    """What shows itself in a notebook: a line, a verdict, sentences, and a table."""

    def _repr_html_(self) -> str:
        """The verdict, the reasons for it, what follows, and the table; text is escaped."""
        diagnosis: Any = getattr(self, "diagnosis", None)
        parts = [f"<p>{_verdict(diagnosis)}<code>{escape(_line(self))}</code></p>"]
        if diagnosis is not None:
            parts.append(_bullets([*diagnosis.reasons]))
        parts += [f"<p>{escape(sentence)}</p>" for sentence in self._sentences()]
        table = self._short_table()
        if len(table):
            parts.append(
                table.to_html(
                    max_rows=MOST_ROWS,
                    max_cols=MOST_COLUMNS,
                    float_format=lambda value: f"{value:.4g}",
                    border=0,
                    escape=True,
                )
            )
        return f"<div>{''.join(parts)}</div>"

    def _sentences(self) -> tuple[str, ...]:
        """What follows from it: the object's own advice, where it gives any."""
        advice: Any = getattr(self, "advice", None)
        return () if advice is None else tuple(advice())

    def _short_table(self) -> "pd.DataFrame":
        """The table to show: the object's summary."""
        own: Any = self
        return own.summary()


def _line(thing: object) -> str:
    """The first line of its `repr`, which is the only one of most."""
    return repr(thing).partition("\n")[0]


def _verdict(diagnosis: Any) -> str:
    """The word of the gate, in front of everything else."""
    if diagnosis is None:
        return ""
    told = {"ok": "ok", "warn": "warnings", "refuse": "REFUSED: not to be trusted"}
    return f"<strong>{told[str(diagnosis.status)]}</strong> "


def _bullets(reasons: list[str]) -> str:
    """Reasons as a list, the first few of them."""
    shown = [f"<li>{escape(reason)}</li>" for reason in reasons[:MOST_REASONS]]
    if len(reasons) > MOST_REASONS:
        shown.append(f"<li>and {len(reasons) - MOST_REASONS} more in .diagnosis</li>")
    return f"<ul>{''.join(shown)}</ul>" if shown else ""
