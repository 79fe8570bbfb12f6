"""Sizes that follow each other: no law of both can be learnt from such a table."""

from collections.abc import Iterator

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.followers import followers, told


class Check(AbstractCheck):
    """D that is a power of N in all runs."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """Pairs of sizes, unless the fit tells of them itself."""
        for one, other, slope in followers(table.logs):
            if table.known >= {one, other}:
                continue
            sentence, _, handle = told(one, other, slope).partition("; ")
            yield Finding(
                "follows",
                Severity.WARN,
                sentence,
                handle.removesuffix("."),
                "",
                {"sizes": [one, other], "power": slope},
            )
