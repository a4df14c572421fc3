"""Import settings and weights of other tools."""
