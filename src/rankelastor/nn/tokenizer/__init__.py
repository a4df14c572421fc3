"""Tokenizers: field embeddings (batch, field, embedding_dim) -> tokens (batch, token, dim)."""
