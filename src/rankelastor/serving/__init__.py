"""Use a trained ranker to predict probabilities for raw rows."""
