"""Checking the statements against truth: instances, campaigns, the search for counterexamples, planted mistakes."""
