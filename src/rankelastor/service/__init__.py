"""A web service that scores and ranks: typed by the schema of a bundle, batched, bounded, and swapped without a gap."""
