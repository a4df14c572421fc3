"""Run folders: the files that a training writes, and functions that read them back."""
