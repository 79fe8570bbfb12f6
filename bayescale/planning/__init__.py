"""From a posterior to a plan: the optimum of every draw, one recommendation, its risk."""
