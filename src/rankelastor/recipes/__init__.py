"""Recipes: one complete experiment each, read from YAML."""
