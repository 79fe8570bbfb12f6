"""What a law is: symbols, formula, link, terms, chart, and its functions in the log domain."""
