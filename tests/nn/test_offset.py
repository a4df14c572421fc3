"""A network whose logits begin at an offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.offset import WithOffset

OFFSET = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


class Body(nn.Module):
    """Gives zeros of a shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape
        self.points: Mapping[str, nn.Module] = {"tokens": self}
        self.stages: Mapping[str, Sequence[nn.Module]] = {"head": [self]}

    def forward(self, _: Embedded) -> Tensor:
        return torch.zeros(self.shape)


def test_the_offset_is_added_to_the_logits_of_each_task() -> None:
    found = WithOffset(Body(2, 2))(Embedded(torch.zeros(2, 1, 1), (), OFFSET))
    torch.testing.assert_close(found, OFFSET)


def test_the_logits_of_all_parts_begin_at_it() -> None:
    found = WithOffset(Body(2, 2, 3))(Embedded(torch.zeros(2, 1, 1), (), OFFSET))
    assert found[:, :, 0].tolist() == found[:, :, 2].tolist() == OFFSET.tolist()


def test_points_and_stages_are_those_of_the_network() -> None:
    body = Body(2, 2)
    assert WithOffset(body).points is body.points
    assert WithOffset(body).stages is body.stages
