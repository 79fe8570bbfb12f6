"""Which forms are admissible: rules, the scaling equation, conditions with their verdicts."""
