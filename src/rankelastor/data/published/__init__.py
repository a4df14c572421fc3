"""Published data sets: what there is, and how it comes onto this machine."""
