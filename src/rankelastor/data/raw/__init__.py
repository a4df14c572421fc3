"""Read raw CSV and Parquet files as Arrow columns, in pieces."""
