"""Validated, frozen settings, one file a concern; the only place that reads YAML."""
