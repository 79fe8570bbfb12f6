"""From what training runs logged to a table of runs: formats, and a reduction that is named."""
