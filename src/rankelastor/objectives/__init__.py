"""Objectives, functions of logits and labels that training minimises."""
