"""From raw rows to a prepared folder: stage, split, fit, encode."""
