"""Cells of raw columns as typed values; a wrong cell is named by file, column and row."""
