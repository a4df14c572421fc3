"""Whole rankers, and the one function that builds a model from settings and schema."""
