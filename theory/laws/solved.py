"""Laws that are the solution of a model of learning, evaluated by a program."""

from collections.abc import Mapping
from typing import Any

from theory.declaration import symbols as s
from theory.declaration.forward import ForwardLaw
from theory.declaration.symbols import D, N, t

NODES, REACH, ORDER = 6, 2**20, 4
"""Accuracy of `theory.learning.dmft.evaluate.log_loss_at` in a law: about 5e-6 of the loss."""


def dynamics(name: str = "dmft", modes: int | None = None, nodes: int = NODES) -> ForwardLaw:
    """The loss of gradient flow on random features of a power law.

    Parameters
    ----------
    name
        Name of the law.
    modes
        Number of modes of the task; infinitely many if not given. Where b is near 1 the modes
        beyond thousands still count, so a law for simulated runs needs their number.
    nodes
        Of the contour: 6 for 5e-6 of the loss, 5 for 5e-5 and a sixth faster, 4 for 5e-4.

    Examples
    --------
    >>> law = dynamics("dmft_500", modes=500)
    >>> units = {"N_1": 1.0, "D_1": 1.0, "t_1": 1.0}
    >>> law.loss(N=64, D=128, t=10.0, A=1.0, a_1=0.5, b_1=0.25, noise=0.1, **units).round(3)
    np.float64(0.763)
    """
    amplitude = s.amplitude("A", of=N, unit="nats/token")
    task = s.exponent("a_1", of=t, typical=(0.5, 0.4))
    spectrum = s.shape("b_1", "spectral exponent b less 1", typical=(0.3, 0.5))
    noise = s.shape("noise", "variance of label noise, in units of A", typical=(0.03, 1.5))
    width = s.shape(
        "N_1", "model size that counts as one random feature", typical=(1.0, 1.0), unit=N.unit
    )
    sample = s.shape(
        "D_1", "training data that count as one example", typical=(1.0, 1.0), unit=D.unit
    )
    time = s.shape("t_1", "time in which the first mode is learnt", typical=(1.0, 1.0), unit=t.unit)

    def evolved(parameters: Mapping[str, Any], log_resources: Mapping[str, Any]) -> Any:
        import jax.numpy as jnp

        from theory.learning.dmft.evaluate import log_loss_at

        return log_loss_at(
            1.0 + jnp.exp(parameters["a_1"]),
            1.0 + jnp.exp(parameters["b_1"]),
            log_resources["N"] - parameters["N_1"],
            log_resources["D"] - parameters["D_1"],
            log_resources["t"] - parameters["t_1"],
            jnp.exp(parameters["noise"]),
            nodes=nodes,
            reach=REACH,
            order=ORDER,
            modes=modes,
        )

    return ForwardLaw(
        log_shape=evolved,
        name=name,
        title="model size, data and time, by the dynamics of random features",
        resources=(N, D, t),
        parameters=(amplitude, task, spectrum, noise, width, sample, time),
        source="Bordelon, Atanasov, Pehlevan 2024, arXiv:2402.01092: gradient flow on random "
        "features of a power law, lambda_k = k^-b and w_k^2 lambda_k = k^-a with a = 1 + a_1, "
        "b = 1 + b_1, solved exactly (theory.learning.dmft); the loss has the label noise in it",
        citation="bordelon2024",
    )


dmft = dynamics()
