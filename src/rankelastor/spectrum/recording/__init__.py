"""Streaming statistics of the spectrum at named points of any module."""
