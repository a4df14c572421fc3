"""Layers between the representation of an example and the logits of several tasks."""
