"""Many tables through one compiled program: HMC whitened by the Laplace approximation.

Under `jax.vmap` NUTS waits for its slowest lane at every draw, so that most of the arithmetic is
thrown away. Here all lanes take the same number of leapfrog steps, drawn anew for every draw, with
a step size a table. For each table: damped Newton from several starts to the mode, whitening by the
curvature there, warm-up, whitening once more by the covariance of the warm-up draws of all chains,
warm-up, draws. The number of steps is jittered, which keeps plain HMC from resonating with a
direction of the posterior.

Everything that differs between tables is data: the observations, padded to a common number of rows
of which some have weight zero, and the numbers of the priors with the pivot. So one program serves
all tables of a law, a likelihood and a shape. It advances a block of draws at a time, which is what
is compiled; warm-up, draws and a second, longer attempt are calls of the same block.
"""

from bayescale.engines.batch.mode import STARTS
from bayescale.engines.batch.sample import FIRST, PACKAGES, SECOND, WARMUP, Effort, sample
from bayescale.engines.batch.tables import BatchDraws, Lanes, stack

__all__ = [
    "FIRST",
    "PACKAGES",
    "SECOND",
    "STARTS",
    "WARMUP",
    "BatchDraws",
    "Effort",
    "Lanes",
    "sample",
    "stack",
]
