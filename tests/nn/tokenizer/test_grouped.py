import pytest
import torch

from rankelastor.nn.tokenizer.grouped import GroupedTokenizer


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
