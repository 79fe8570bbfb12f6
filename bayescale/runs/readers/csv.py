"""CSV: text with commas."""

from bayescale.runs.delimited import AbstractDelimited


class Reader(AbstractDelimited):
    """Text with commas, or with the separator that is declared."""

    title = "CSV"
    suffixes = (".csv",)
    separator = ","
