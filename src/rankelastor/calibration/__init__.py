"""Calibration: functions from logits to better logits, fitted on valid when training ends and stored with the run."""
