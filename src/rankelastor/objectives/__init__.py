"""Objectives: what a training step minimises, from logits and labels."""
