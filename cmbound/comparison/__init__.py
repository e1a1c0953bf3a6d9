"""Statements side by side: rankings, phase diagrams, complexities."""
