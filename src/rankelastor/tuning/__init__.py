"""Tuning: try settings of a recipe and keep those that the valid split likes best."""
