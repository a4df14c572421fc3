"""Per-token FFNs: (batch, token, dim) -> the same shape, each token with its own weights."""
