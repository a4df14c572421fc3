"""Parse cells of raw columns into typed values; errors name file, column and row."""
