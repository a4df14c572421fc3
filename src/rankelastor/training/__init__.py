"""The training loop, early stopping, checkpoints, run folders."""
