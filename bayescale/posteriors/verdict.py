"""What a fit comes to, in three sentences: the form, how far it may be believed, what to do next.

Several verbs look at the form of a law, and each answers a question of its own (`QUESTIONS`). What
they leave open is in the drift of a fit's forecasts (`bayescale.models.drift`). So the forecast to
act on is one: that of the fit, or of the stack where the forms differ in theirs.
"""

from typing import Any

import numpy as np

from bayescale.diagnosis import Status

QUESTIONS = {
    "loo": "This asks which law predicts one run from the others, within their range. It does not "
    "say which forecasts larger runs best: for that compare by lfo, or stack.",
    "lfo": "This asks which law forecasts the larger of these runs from the smaller ones. Act on "
    "the stack of the laws where their weights are shared, on the best one where they are not.",
    "collapse": "This asks which forms the runs exclude within their range. A form that stays "
    "inside may still forecast larger runs worse than another: that calibrate and compare by lfo "
    "tell.",
    "calibrate": "This asks whether intervals of larger runs held on this table. Where they did, "
    "believe the fit's forecasts about as far ahead; where not, use the drift that it gives.",
}
"""What each verb that looks at the form of a law asks, and what follows for a forecast."""

AHEAD, LEVEL = 10.0, 0.9
"""Times the largest run at which the forecast is told, and level of its interval."""


def verdict(posterior: Any) -> tuple[str, ...]:
    """The form, how far it may be believed, and what to do next: a sentence each.

    Parameters
    ----------
    posterior
        A `Posterior`, which offers these sentences itself.
    """
    return (_form(posterior), _belief(posterior), _next(posterior))


def _form(posterior: Any) -> str:
    told = f"form: {posterior.law.title} ('{posterior.law.name}')"
    if posterior.law.name != "share":
        return f"{told}."
    sharpness = np.exp(posterior.log_parameters["q"])
    low, middle, high = np.quantile(sharpness, [0.05, 0.5, 0.95])
    where = "inside" if low <= 1 <= high else "outside"
    return (
        f"{told} with sharpness q = {middle:.2f} [{low:.2f}, {high:.2f}]; the additive law, q = 1, "
        f"lies {where}."
    )


def _belief(posterior: Any) -> str:
    if posterior.model is not None and posterior.model.pooling is not None:
        return "belief: each group has forecasts of its own, and group(name).advice() of these."
    if posterior.seen is None:
        return "belief: the runs are not known, so nothing is said of what lies beyond them."
    if posterior.drifts is None:
        return "belief: the law is taken as exact beyond the runs, which no law on real tables was."
    seen = {name: posterior.seen[name] for name in posterior.sizes}
    largest = int(np.argmax(sum(seen.values())))
    step = np.log(AHEAD) / len(seen)
    rest = {r.name for r in posterior.law.resources} - set(seen)
    at = {name: np.array([[log[largest] + step]]) for name, log in seen.items()}
    runs = posterior.runs
    assert runs is not None
    at |= {name: np.array([[np.log(runs[name].iloc[largest])]]) for name in rest}
    low, high = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    widths = [
        np.diff(np.quantile(log_loss, [low, high]))[0] / 2
        for log_loss in (posterior.log_law(at) + posterior.log_drift(at), posterior.log_law(at))
    ]
    return (
        f"belief: at {AHEAD:g} times the largest run the loss is forecast to +-{widths[0]:.1%} "
        f"({LEVEL:.0%} interval; the law alone would say +-{widths[1]:.1%}), farther less well."
    )


def _next(posterior: Any) -> str:
    if posterior.diagnosis.status is Status.REFUSE:
        return "next: mend what the gate refuses; nothing is to be planned with this."
    if posterior.diagnosis.status is Status.WARN:
        return "next: look into what the gate warns of, then plan; calibrate says how it forecasts."
    return "next: plan a budget, or design the next runs; calibrate says how such fits forecast."
