"""Embedding tables of which each process holds a part: TorchRec's, and their checkpoints."""
