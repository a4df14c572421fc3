"""Interactions between the features of an example: (batch, width) -> (batch, width)."""
