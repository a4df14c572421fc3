"""Rankers in scikit-learn's manner: fit a table, and score tables."""
