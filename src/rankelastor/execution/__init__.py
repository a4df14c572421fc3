"""Ways to compute what a ranker's plain layers define."""
