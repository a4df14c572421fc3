from __future__ import annotations

import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.ffn.glu import make_gate
from rankelastor.nn.ffn.hyper_connections import HyperConnectedGlu, HyperConnection, sinkhorn


def test_rows_and_columns_sum_to_one() -> None:
    matrix = sinkhorn(torch.randn(3, 5, 4, 4, dtype=torch.float64))
    torch.testing.assert_close(matrix.sum(-1), torch.ones(3, 5, 4, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(matrix.sum(-2), torch.ones(3, 5, 4, dtype=torch.float64), atol=1e-9, rtol=0)


def test_without_its_maps_every_stream_gets_the_same_share_of_the_gate() -> None:
    gate = make_gate("published", num_tokens=3, dim=4, expansion=2.0)
    join = HyperConnection(num_tokens=3, dim=4, num_streams=2, gate=gate)
    with torch.no_grad():
        join.alpha_scale.zero_()
        join.beta_scale.zero_()
        join.alpha[..., 1:].fill_(-50.0)
        join.alpha[:, 0, 1].fill_(50.0)  # res is the identity
        join.alpha[:, 1, 2].fill_(50.0)
        join.alpha[..., 0] = torch.tensor([50.0, -50.0])  # the gate's input is the first stream
        join.beta.zero_()  # post is 1
    streams = torch.randn(5, 2, 3, 4)
    gated = gate(join.gate_norm(streams[:, 0]))
    torch.testing.assert_close(join(streams), streams + gated.unsqueeze(1), atol=1e-5, rtol=1e-5)


def test_gradients_are_exact() -> None:
    ffn = HyperConnectedGlu(num_tokens=2, token_dim=3, hidden_dims=[4], expansion=2.0, num_streams=2).double()
    require_exact_gradients(ffn, torch.randn(2, 2, 3, dtype=torch.float64))


def test_without_bias_only_the_connections_and_the_last_map_have_one() -> None:
    ffn = HyperConnectedGlu(num_tokens=2, token_dim=3, hidden_dims=[4], bias=False)
    with_bias = {name for name, _ in ffn.named_parameters() if name.endswith("bias")}
    assert with_bias == {"layers.0.join.alpha_map.bias", "layers.0.join.beta_map.bias", "out.bias"}
