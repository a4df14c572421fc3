"""Finished runs compared row by row on the same test rows."""
