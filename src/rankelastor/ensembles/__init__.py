"""Ensembles: train runs that differ by their seed, side by side, and make one run of several."""
