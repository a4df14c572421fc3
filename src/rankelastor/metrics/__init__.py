"""What a ranker is judged by: ranking, logloss, calibration."""
