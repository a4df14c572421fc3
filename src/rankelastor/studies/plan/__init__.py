"""What a study is to run: its file, its axes, and the grid of runs that follow from them."""
