"""The field kinds, one file each: settings, parsing, fitting, encoding, and the entry in schema.json."""
