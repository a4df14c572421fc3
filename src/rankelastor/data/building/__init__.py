"""Build a prepared folder from raw rows: stage, split, fit, encode."""
