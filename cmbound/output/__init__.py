"""Records to text, JSON, LaTeX, Markdown and CSV."""
