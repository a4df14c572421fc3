"""Metrics of predictions: ranking, likelihood, calibration; ``table.py`` lists them all."""
