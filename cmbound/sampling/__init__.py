"""One-step and multistep sampling of a consistency model, with OU smoothing or a Langevin corrector behind it (no torch).

A model is a callable ``f(x, t)`` on arrays (n, d) and a float t. In the ``ou`` clock t is the Ornstein-Uhlenbeck time and
``delta`` the early-stopping time; in the ``ve`` clock both are noise levels sigma, and ``delta`` is sigma_min. The two clocks run
the same process: x_VE = e^delta x_OU with e^(2 delta) = 1 + sigma_min^2, so the same seed gives the same samples up to rounding.

Rows are drawn in blocks whose size depends on d alone, and block b takes all its randomness from
``SeedSequence(seed, spawn_key=(b,))``: chunk size and number of workers change no bit of the result, and a larger n keeps every
full block. (``f`` itself must give the same bits for the same block: not so if it draws random numbers of its own.)
"""

from cmbound.names import CLOCKS, STARTS
from cmbound.sampling.accumulate import Interval, Moments, moments
from cmbound.sampling.kernels import (
    Corrector,
    Overdamped,
    Underdamped,
    noise_back,
    overdamped,
    smooth,
    underdamped,
    underdamped_coefficients,
)
from cmbound.sampling.run import BLOCK, Run, block_rows, sample, sample_every_step, stream

__all__ = [
    "BLOCK",
    "CLOCKS",
    "STARTS",
    "Corrector",
    "Interval",
    "Moments",
    "Overdamped",
    "Run",
    "Underdamped",
    "block_rows",
    "moments",
    "noise_back",
    "overdamped",
    "sample",
    "sample_every_step",
    "smooth",
    "stream",
    "underdamped",
    "underdamped_coefficients",
]
