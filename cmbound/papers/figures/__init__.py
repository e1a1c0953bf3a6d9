"""Figures for a paper: one module each, with the data behind it as a record and the drawing of that record."""
