"""Ways to compute what a ranker's plain layers define: lowered to kernels, compiled, in slices, on threads."""
