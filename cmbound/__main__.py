"""``python -m cmbound``."""

from cmbound.cli import main

main()
