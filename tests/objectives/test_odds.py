import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.objectives.odds import UNCHANGED, Odds

SHARES = st.floats(0.001, 1)


def test_without_thinning_or_weights_nothing_is_corrected() -> None:
    assert UNCHANGED.logit_shift == 0
    assert UNCHANGED.negative_weight == 1


@given(rate=st.floats(0.001, 0.999), before=SHARES, training=SHARES, weight=st.floats(0.1, 100))
def test_the_rate_that_training_sees_is_corrected_to_the_rate_of_the_world(
    rate: float, before: float, training: float, weight: float
) -> None:
    odds = Odds(kept_before=before, kept_in_training=training, positive_weight=weight)
    positive, negative = 1e9 * rate, 1e9 * (1 - rate) * before  # as the files hold them
    learned = odds.training_logit(positive=positive, negative=negative)
    corrected = learned + odds.logit_shift
    assert corrected == pytest.approx(math.log(rate / (1 - rate)), abs=1e-3)
