"""Run what a study lacks, and keep one line a run."""
