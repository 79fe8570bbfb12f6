"""Checks of a model against its runs, before and after the fit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "leave_one_out": ["LeaveOneOut"],
        "of_posterior": [
            "influence",
            "posterior_predictive",
            "prior_predictive",
            "residual_trends",
            "sensitivity",
        ],
        "predictive": ["Predictive"],
    },
)
