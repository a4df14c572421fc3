"""Measures of the rank of representations, and how it changes through the layers of a model."""
