"""A model: a law, the priors of its coordinates, and how log loss scatters around it."""
