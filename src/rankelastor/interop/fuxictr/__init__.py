"""Experiments of FuxiCTR (2.3.1): their settings, turned into recipes."""
