"""From a statement and what a user gives to numbers: checking the setting, sums over the grid, choice of profiles."""
