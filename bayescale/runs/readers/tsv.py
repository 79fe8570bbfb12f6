"""TSV: text with tabs."""

from bayescale.runs.delimited import AbstractDelimited


class Reader(AbstractDelimited):
    """Text with tabs, as its ending says."""

    title = "TSV"
    suffixes = (".tsv", ".tab")
    separator = "\t"
