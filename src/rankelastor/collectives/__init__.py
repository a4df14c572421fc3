"""Processes that train together: sums, rows and values that all of them have."""
