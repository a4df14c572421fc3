"""Train a recipe day by day: on each day of a log, tested on the next, from scratch and going on from before."""
