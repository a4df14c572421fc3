"""Published data sets: a catalogue, and how to fetch, check and unpack them."""
