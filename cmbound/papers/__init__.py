"""The ready-made tables and figures for papers."""
