"""Ways to run a ranker's plain layers: lowered to kernels, compiled, in slices, on several threads."""
