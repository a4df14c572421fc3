"""One file per field kind: its settings, how its cells are parsed, fitted and encoded, and its part of schema.json."""
