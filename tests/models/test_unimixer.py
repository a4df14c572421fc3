"""Settings of UniMixer; tests/models/test_references.py holds its logits against loops."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tests.models.every_model import small
from tests.models.test_build import SCHEMA
from torch import nn

from rankelastor.models.unimixer import SiameseNorm
from rankelastor.nn.scheduled import scheduled_modules


def test_something_must_carry_the_tokens_past_a_mixing() -> None:
    with pytest.raises(ValidationError, match="inner_residual must be true without siamese_norm"):
        small("unimixer", siamese_norm=False, inner_residual=False)


def test_every_mixing_follows_the_schedule() -> None:
    assert len(scheduled_modules(small("unimixer").network(SCHEMA))) == 2


def test_siamese_norm_by_hand() -> None:
    # X = (3, 4), mean square 12.5; the one block is the identity, so O = X + RN(X) = (a, b) with b / a = 4 / 3.
    siamese = SiameseNorm(num_blocks=1, dim=2)
    x = torch.tensor([[[3.0, 4.0]]])
    unit = x / 12.5**0.5  # RN of anything in this direction
    out = x + unit
    torch.testing.assert_close(siamese(x, nn.ModuleList([nn.Identity()])), unit + unit)
    assert torch.allclose(out / out.square().mean().sqrt(), unit)
