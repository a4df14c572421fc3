"""The tables of the whole family: which trainings they need, how one is run, and how they are written."""
