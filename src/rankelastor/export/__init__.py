"""Export a ranker to other runtimes: the graph from ids and numbers to calibrated probabilities, and its encoding."""
