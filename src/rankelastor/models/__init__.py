"""Whole rankers, their settings, and the function that builds a ranker from settings and schema."""
