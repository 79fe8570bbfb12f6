"""The file formats of a table of runs: each module is one, with one class."""
