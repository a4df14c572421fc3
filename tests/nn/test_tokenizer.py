from typing import Any

import pytest
import torch

from rankelastor.nn.tokenizer import GroupedTokenizer, JointTokenizer, ReshapeTokenizer, SplitTokenizer

SIZES: dict[str, Any] = {"num_fields": 6, "embedding_dim": 4, "num_tokens": 3, "token_dim": 5}


def test_split_tokens_depend_on_their_own_part_up_to_the_shared_norm() -> None:
    tokenizer = SplitTokenizer(**SIZES, hidden_dims=[7]).eval()
    embeddings = torch.randn(2, 6, 4)
    swapped = embeddings[:, [2, 3, 0, 1, 4, 5]]
    before, after = tokenizer(embeddings), tokenizer(swapped)
    assert torch.allclose(after[:, 0], before[:, 1], atol=1e-6)
    assert torch.allclose(after[:, 2], before[:, 2], atol=1e-6)


def test_split_parts_share_one_map() -> None:
    tokenizer = SplitTokenizer(**SIZES)
    assert [tuple(parameter.shape) for parameter in tokenizer.mlp.parameters()] == [(5, 8), (5,)]


def test_split_needs_parts_of_equal_size() -> None:
    with pytest.raises(ValueError, match=r"num_tokens must divide field \* embedding_dim = 24 .* but 5 was given; try"):
        SplitTokenizer(num_fields=6, embedding_dim=4, num_tokens=5, token_dim=5)


def test_joint_tokens_see_all_fields() -> None:
    tokenizer = JointTokenizer(**SIZES)
    embeddings = torch.randn(1, 6, 4, requires_grad=True)
    tokenizer(embeddings)[0, 0].sum().backward()
    assert embeddings.grad is not None
    assert (embeddings.grad.abs().sum(dim=2) > 0).all()


def test_grouped_tokens_take_their_groups_fields() -> None:
    tokenizer = GroupedTokenizer(groups=[[0, 5], [1, 2, 3, 4]], embedding_dim=4, token_dim=5)
    embeddings = torch.randn(2, 6, 4)
    normed = tokenizer.norm(embeddings.flatten(1)).view(2, 6, 4)
    expected = tokenizer.mlps[0](normed[:, [0, 5]].flatten(1))
    assert torch.allclose(tokenizer(embeddings)[:, 0], expected)


@pytest.mark.parametrize("groups", [[[0, 1], [1, 2]], [[0], [2]]])
def test_grouped_needs_every_field_once(groups: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="every field must stand in exactly one group"):
        GroupedTokenizer(groups=groups, embedding_dim=4, token_dim=5)


def test_reshape_only_norms() -> None:
    tokenizer = ReshapeTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=8)
    embeddings = torch.randn(2, 6, 4)
    tokens = tokenizer(embeddings)
    scale = embeddings.flatten(1).pow(2).mean(1).sqrt()
    assert torch.allclose(tokens.flatten(1), embeddings.flatten(1) / scale[:, None], atol=1e-5)


def test_reshape_needs_equal_sizes() -> None:
    with pytest.raises(ValueError, match=r"6 \* 4 and 3 \* 5 were given; try num_tokens=6, token_dim=4"):
        ReshapeTokenizer(**SIZES)
