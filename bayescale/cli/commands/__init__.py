"""One subcommand a file; the function or app called after the file is the subcommand."""
