"""Compare the speed of training and scoring with a baseline in the style of the published code, see ``__main__``."""
