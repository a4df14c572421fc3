"""Which fields a ranker uses: what each contributed to a row, and what the metrics lose without it."""
