"""How fast training and scoring are, beside a baseline in the published code's manner: see ``__main__``."""
