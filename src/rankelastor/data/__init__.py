"""Raw files -> vocabularies -> prepared folder -> batches."""
