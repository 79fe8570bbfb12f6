"""One plot a file; the function called after the file is the plot."""
