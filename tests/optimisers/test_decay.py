from torch import nn

from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm
from rankelastor.optimisers.decay import decayed_parameters


def test_products_decay_and_biases_and_norms_do_not() -> None:
    network = nn.ModuleDict(
        {
            "linear": nn.Linear(3, 2),
            "per_token": PerTokenLinear(num_tokens=2, in_dim=3, out_dims=[4]),
            "norm": PerTokenRMSNorm(num_tokens=2, dim=3),
        }
    )
    decayed = decayed_parameters(network)
    assert [tuple(weight.shape) for weight in decayed] == [(2, 3), (2, 3, 4)]
