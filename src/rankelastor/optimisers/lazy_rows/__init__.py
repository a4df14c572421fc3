"""Adam for embedding rows that updates a row when a batch looks it up."""
