"""Validated, frozen settings, one file per concern."""
