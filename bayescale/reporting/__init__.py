"""One self-contained page about a posterior: the report, and the planner in it."""
