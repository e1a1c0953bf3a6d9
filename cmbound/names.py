"""Names that are offered before anything heavy is imported: a shell completes them at once."""

from __future__ import annotations

PROFILES = (
    "universal", "universal-integrated", "second-moment", "lipschitz", "lipschitz-integrated", "one-sided",
    "smoothed", "smoothed-integrated", "bounded", "bounded-integrated", "atoms",
)  # fmt: skip
MEASURED = "measured"
"""The profile that is measured on a data set."""
GRIDS = ("uniform", "two-stage", "geometric", "edm")
TEACHERS = ("exponential-integrator", "ddim", "heun")
LINEAR_TEACHERS = ("exponential-integrator", "ddim")
"""Those whose step is linear in the score at its beginning: samplers and the students of the experiments are built from them."""
TARGETS = ("p_data", "p_delta")
STARTS = ("standard", "matched")
CLOCKS = ("ou", "ve")
WORLDS = ("gaussian", "mixture", "atoms")
EXPERIMENTS = (
    "map_error", "one_step", "one_step_to_p_delta", "multistep", "one_more_step", "settled_multistep", "training",
    "tv_early_stopping", "tv_smoothing", "tv_underdamped", "tv_smoothing_for_delta", "tv_short_corrector", "score_lipschitz",
    "map_lipschitz", "step_size", "discrete_multistep", "edm_step", "flow_steps",
)  # fmt: skip
"""What can be simulated to check a statement (:mod:`cmbound.verification.experiments`)."""
TIERS = ("certified", "approximate")
FORMATS = ("text", "json", "latex", "markdown", "csv", "html")
"""What a report and a table can be printed as: each is a method or function of this name in :mod:`cmbound.reports`."""
CHOICES = ("profile", "grid", "teacher", "to", "start", "clock")
"""What a statement may leave open."""
OPTIONS = (*CHOICES, "preset", "digits", "tier")
"""What may be given beside the parameters of a statement."""
