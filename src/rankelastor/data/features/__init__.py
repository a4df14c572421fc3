"""Fitted features: what turns cells into ids and numbers, and how it is written down."""
