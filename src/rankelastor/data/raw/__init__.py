"""Raw files, CSV and Parquet, as Arrow columns, piece by piece."""
