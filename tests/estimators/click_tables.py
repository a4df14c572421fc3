"""A small log as frames, for the tests of the estimator."""

import numpy as np
import polars as pl


def click_log(num_rows: int = 400, *, seed: int = 1) -> pl.DataFrame:
    """Make a log in which phones and cheap ads are clicked more often."""
    draws = np.random.default_rng(seed)
    device = draws.choice(["phone", "tablet", "desktop"], num_rows)
    price = draws.exponential(2.0, num_rows).round(2)
    chance = 1 / (1 + np.exp(-(2.0 * (device == "phone") - 0.8 * price)))
    return pl.DataFrame(
        {
            "click": (draws.random(num_rows) < chance).astype(int),
            "site": draws.choice(["a", "b", "c", "d"], num_rows),
            "device": device,
            "price": price,
            "user": draws.integers(0, 20, num_rows),
        }
    )
