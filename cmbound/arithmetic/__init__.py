"""Exact numbers, code generation, float64 and ball arithmetic."""
