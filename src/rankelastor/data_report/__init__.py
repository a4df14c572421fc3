"""What a prepared folder holds, and what of it a person should be warned of."""
