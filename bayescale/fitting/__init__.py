"""From a table and a law to a posterior: one table, groups of runs, many tables."""
