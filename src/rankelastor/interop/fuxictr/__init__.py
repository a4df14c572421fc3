"""Turn the settings of FuxiCTR (2.3.1) experiments into recipes."""
