"""One file that holds a ranker: read it safely, and unpack it where a run folder is wanted."""
