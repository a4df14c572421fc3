"""Training: from a recipe to a run folder with the best weights and the result."""
