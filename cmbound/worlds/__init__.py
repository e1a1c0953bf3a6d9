"""Analytic worlds: data laws whose score, flow and consistency function are known (theory 4)."""
