"""What a model is made of unless it says otherwise; light, so that help texts can name it."""

LIKELIHOOD = "studentt"
"""Noise model: a name in `bayescale.models.likelihoods.LIKELIHOODS`."""
