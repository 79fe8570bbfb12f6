"""From what training runs logged to a table of runs: formats, and a reduction that is named."""

from bayescale.logs import formats as formats  # or `bayescale.formats` would not be found
