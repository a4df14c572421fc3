"""Alarms: what of a training, an evaluation or a prediction is likely wrong; one table of rules."""
