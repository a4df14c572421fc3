"""The data pipeline: raw files, fitted features, the prepared folder, batches."""
