"""From expression to number: float64 (:mod:`.approximate`) or ball arithmetic (:mod:`.certified`)."""
