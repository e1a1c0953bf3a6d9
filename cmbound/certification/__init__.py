"""A model at hand, measured: what theory guarantees for it (theory 5)."""
