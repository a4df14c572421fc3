import pytest
import torch

from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tokenizer.grouped import GroupedTokenizer

FIELDS = ["a", "b", "c", "d", "e", "f"]


def test_grouped_tokens_take_their_groups_fields() -> None:
    groups = {"ends": ["a", "f"], "middle": ["b", "c", "d", "e"]}
    tokenizer = GroupedTokenizer(groups=groups, field_names=FIELDS, embedding_dim=4, num_tokens=2, token_dim=5)
    embeddings = torch.randn(2, 6, 4)
    normed = tokenizer.norm(embeddings.flatten(1)).view(2, 6, 4)
    first, second = tokenizer.mlps
    assert torch.allclose(tokenizer(embeddings)[:, 0], first(normed[:, [0, 5]].flatten(1)), atol=1e-6)
    assert torch.allclose(tokenizer(embeddings)[:, 1], second(normed[:, 1:5].flatten(1)), atol=1e-6)


@pytest.mark.parametrize(
    ("groups", "fault"),
    [
        ({"one": ["a", "b"], "other": ["b", "c"]}, r"\['b'\] are listed twice"),
        ({"one": ["a"], "other": ["c"]}, r"\['b'\] are in no group"),
        ({"one": ["a", "b"], "other": ["c", "x"]}, r"\['x'\] are unknown fields"),
        ({"one": ["a", "b", "c"]}, "1 groups and num_tokens 2 were given; try num_tokens=1"),
    ],
)
def test_grouped_needs_every_field_once_and_a_group_per_token(groups: dict[str, list[str]], fault: str) -> None:
    with pytest.raises(SizesDoNotFit, match=fault):
        GroupedTokenizer(groups=groups, field_names=["a", "b", "c"], embedding_dim=4, num_tokens=2, token_dim=5)
