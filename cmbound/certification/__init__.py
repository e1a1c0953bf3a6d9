"""A model at hand, measured: a two-sided enclosure of its distance to the data, and where its error is made (theory 5)."""
