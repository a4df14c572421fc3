"""The fitted state of features (vocabularies, statistics, quantiles, vectors) and its files."""
