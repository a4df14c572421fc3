"""Effective rank: how the spectrum of representations travels through a model."""
