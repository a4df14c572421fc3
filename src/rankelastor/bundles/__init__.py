"""One file that holds a ranker: make it of a run, with a model card and rows to check it by, and verify it."""
