"""Batches of a prepared split: which rows in which order, gathered, read ahead."""
