"""Each model computes what loops over numbers compute; dcn_v2, mlp and the published mixers have other tests."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.models.every_model import KINDS, VARIANTS, small
from tests.models.mixer_references import MIXER_REFERENCES
from tests.models.references import REFERENCES as BASELINE_REFERENCES
from tests.models.test_build import SCHEMA
from torch import nn

from rankelastor.nn.embedding.embedded import Embedded

REFERENCES = BASELINE_REFERENCES | MIXER_REFERENCES
NAMES = [name for name in VARIANTS if name.partition("-")[0] in REFERENCES]
ELSEWHERE = {"mlp", "dcn_v2", "rankmixer", "rankelastor"}


def drawn(model: str, **changes: Any) -> nn.Module:
    """A network in float64 whose parameters and running values are all drawn, so that none is 0 or 1 at the start."""
    torch.manual_seed(0)
    network = small(model, **changes).network(SCHEMA).double().eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return network


def test_every_model_has_a_reference() -> None:
    assert set(REFERENCES) | ELSEWHERE == set(KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_what_loops_compute(name: str) -> None:
    network, width = drawn(name), small(name).embedding_width(SCHEMA)
    rows = torch.randn(3, SCHEMA.num_fields, width, dtype=torch.float64)
    reference = REFERENCES[name.partition("-")[0]]
    expected = [reference(network, example.tolist()) for example in rows]
    torch.testing.assert_close(network(Embedded(rows)), torch.tensor(expected, dtype=torch.float64))


def test_finalmlp_takes_its_contexts_from_the_named_fields() -> None:
    streams = {"stream1": {"hidden_dims": [6], "context": ["user", "price"]}, "stream2": {"hidden_dims": [4]}}
    network = drawn("finalmlp", **streams)
    rows = torch.randn(3, SCHEMA.num_fields, 4, dtype=torch.float64)
    expected = [REFERENCES["finalmlp"](network, example.tolist()) for example in rows]
    torch.testing.assert_close(network(Embedded(rows)), torch.tensor(expected, dtype=torch.float64))
