"""Draft the settings of an experiment from a table alone, each choice with its reason."""
