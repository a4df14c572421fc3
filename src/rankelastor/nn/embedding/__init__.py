"""Field embeddings: ids and numbers -> one vector per field."""
