"""Tables of training runs: read, checked, named."""
