"""Logistic regression on a sample of the prepared rows: what a ranker must at least be better than."""
