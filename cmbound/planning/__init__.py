"""Planning: what a target error needs (:mod:`.budget`) and which multistep schedule is best (:mod:`.schedule`)."""
