"""The paper: statements, complete proofs, tables and figures, all of whose formulas and numbers come from cmbound.

``python -m paper_tables`` rebuilds everything under ``generated/`` and ``data/``; ``--check`` compares instead.
"""
