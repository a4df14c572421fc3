"""Settings of the calibration that is fitted when training ends."""

from typing import Literal, get_args

from pydantic import Field

from rankelastor.config.base import Settings

CalibrationKind = Literal["auto", "platt", "isotonic", "temperature", "offset", "none"]
"""The kinds of calibration that a recipe may ask for."""
CALIBRATION_KINDS: tuple[CalibrationKind, ...] = get_args(CalibrationKind)


class CalibrationSettings(Settings):
    """Calibration of the probabilities, fitted on the valid split with the best weights when training ends.

    Logits are first corrected for thinned negatives and weighted positives. With several tasks each has its own map.
    Fewer than 50 rows of either class in valid allow an offset alone, fewer than 10 nothing; ``auto`` multiplies the
    logits by .75 then, and moves the mean probability of valid to the label rate of train and valid together.
    """

    kind: CalibrationKind = Field(
        "none",
        description="`platt` multiplies the logit by a slope above 0 and adds an offset; `temperature` has the slope "
        "alone and `offset` the offset alone; `isotonic` is a rising step function, which may change the AUC; `auto` "
        "is `platt` where it lowers the logloss of rows of valid that were held out while it was fitted, by half a "
        "standard error, else `none`; with fewer than 50 rows of a class, a slope of .75 and the offset that fits the "
        "label rate of train and valid.",
    )
