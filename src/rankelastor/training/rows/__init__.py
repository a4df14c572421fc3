"""Embedding rows: how their gradients add up, and Adam at the cost of the batch."""
