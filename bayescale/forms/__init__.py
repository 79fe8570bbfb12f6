"""What is known of a form: by theory, by a table, at each run."""
