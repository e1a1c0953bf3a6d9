"""Symbols, named functions, choices, profiles, grids and the records of statements: what everything else reads."""
