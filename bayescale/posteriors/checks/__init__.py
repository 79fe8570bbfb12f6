"""Checks of a model against its runs, before and after the fit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "leave_one_out": ["LeaveOneOut", "influence"],
        "power_scaling": ["sensitivity"],
        "predictive": ["Predictive", "posterior_predictive", "prior_predictive"],
        "trends": ["residual_trends"],
    },
)
