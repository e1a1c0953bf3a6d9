"""Symbolic analysis of statements: orders, elasticities, dominating terms, corollaries checked by the machine."""
