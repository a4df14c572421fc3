"""Token mixings: (batch, token, dim) -> the same shape; each includes its residual."""
