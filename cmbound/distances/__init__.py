"""Wasserstein-2 and total variation distances: closed forms, and samples with confidence intervals."""

from cmbound.distances.gaussian import gaussian_tv_1d, gaussian_tv_centred, gaussian_w2, gaussian_w2_factors
from cmbound.distances.line import w2_samples_1d
from cmbound.distances.samples import BATCHES, MAX_TRANSPORT, Estimate, coupling_w2, sliced_w2, unseen, w2_samples

__all__ = [
    "BATCHES",
    "MAX_TRANSPORT",
    "Estimate",
    "coupling_w2",
    "gaussian_tv_1d",
    "gaussian_tv_centred",
    "gaussian_w2",
    "gaussian_w2_factors",
    "sliced_w2",
    "unseen",
    "w2_samples",
    "w2_samples_1d",
]
