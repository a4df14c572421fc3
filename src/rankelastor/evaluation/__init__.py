"""Scores and metrics of a trained ranker."""
