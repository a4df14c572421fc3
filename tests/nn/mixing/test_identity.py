import torch

from rankelastor.nn.mixing.identity import IdentityMixing


def test_identity_mixing_changes_nothing() -> None:
    tokens = torch.randn(2, 3, 4)
    assert IdentityMixing()(tokens) is tokens
