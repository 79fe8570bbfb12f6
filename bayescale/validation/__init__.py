"""How well posteriors predict runs that they have not seen."""
