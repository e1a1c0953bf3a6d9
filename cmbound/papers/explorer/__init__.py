"""The explorer: one self-contained page on which the numbers of a statement can be moved."""
