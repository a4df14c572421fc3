"""Use a trained ranker: probabilities for raw rows."""
