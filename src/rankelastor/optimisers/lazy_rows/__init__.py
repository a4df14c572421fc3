"""Adam for embedding tables that updates a row only when a batch looks it up."""
