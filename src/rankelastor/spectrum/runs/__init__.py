"""The spectrum of a run: while it trains, and of its best weights."""
