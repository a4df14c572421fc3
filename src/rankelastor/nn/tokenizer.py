"""Tokenizers: field embeddings (batch, field, embedding_dim) -> tokens (batch, token, dim).

Every form first applies one RMSNorm over all field * embedding_dim coordinates together.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divide import divided
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection


class SplitTokenizer(nn.Module):
    """Cut the normed flat embeddings into ``num_tokens`` equal parts; ONE shared MLP maps each part to a token.

    Example:
        >>> tokenizer = SplitTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=5)
        >>> tokenizer(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])

    Source: "matrix" tokenizer of the code published with arXiv 2605.23191.
    """

    def __init__(
        self,
        *,
        num_fields: int,
        embedding_dim: int,
        num_tokens: int,
        token_dim: int,
        hidden_dims: Sequence[int] = (),
        activation: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        flat_dim = num_fields * embedding_dim
        self.num_tokens = num_tokens
        part_dim = divided(flat_dim, "field * embedding_dim", num_tokens, "num_tokens", purpose="the split tokenizer")
        self.norm = RMSNorm(flat_dim)
        self.mlp = Projection(
            in_dim=part_dim,
            hidden_dims=hidden_dims,
            out_dim=token_dim,
            activation_name=activation,
            norm=norm,
            dropout=dropout,
        )

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens of field embeddings."""
        parts = self.norm(embeddings.flatten(1)).view(len(embeddings), self.num_tokens, -1)
        tokens: Tensor = self.mlp(parts)
        return tokens


class JointTokenizer(nn.Module):
    """One MLP maps the whole normed flat vector to all tokens together.

    Example:
        >>> tokenizer = JointTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=5, hidden_dims=[8])
        >>> tokenizer(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])

    Source: "vector" tokenizer of the code published with arXiv 2605.23191.
    """

    def __init__(
        self,
        *,
        num_fields: int,
        embedding_dim: int,
        num_tokens: int,
        token_dim: int,
        hidden_dims: Sequence[int] = (),
        activation: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.norm = RMSNorm(num_fields * embedding_dim)
        self.mlp = Projection(
            in_dim=num_fields * embedding_dim,
            hidden_dims=hidden_dims,
            out_dim=num_tokens * token_dim,
            activation_name=activation,
            norm=norm,
            dropout=dropout,
        )

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens of field embeddings."""
        tokens: Tensor = self.mlp(self.norm(embeddings.flatten(1)))
        return tokens.view(len(tokens), self.num_tokens, -1)


class GroupedTokenizer(nn.Module):
    """Each group of fields has its own MLP to one token.

    Args:
        groups: for each token, the indices of its fields; every field stands in exactly one group.

    Example:
        >>> tokenizer = GroupedTokenizer(groups=[[0, 2], [1]], embedding_dim=4, token_dim=5)
        >>> tokenizer(torch.randn(2, 3, 4)).shape
        torch.Size([2, 2, 5])

    Source: RankMixer, arXiv 2507.15551, section 3.2 (semantic grouping).
    """

    order: Tensor

    def __init__(
        self,
        *,
        groups: Sequence[Sequence[int]],
        embedding_dim: int,
        token_dim: int,
        hidden_dims: Sequence[int] = (),
        activation: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        members = sorted(field for group in groups for field in group)
        if members != list(range(len(members))):
            raise ValueError(f"every field must stand in exactly one group, but the groups hold fields {members}")
        self.widths = [len(group) for group in groups]
        # an index tensor, since a list would be copied to the device at every call
        self.register_buffer("order", torch.tensor([field for group in groups for field in group]), persistent=False)
        self.norm = RMSNorm(len(members) * embedding_dim)
        self.mlps = nn.ModuleList(
            Projection(
                in_dim=len(group) * embedding_dim,
                hidden_dims=hidden_dims,
                out_dim=token_dim,
                activation_name=activation,
                norm=norm,
                dropout=dropout,
            )
            for group in groups
        )

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens of field embeddings, one a group."""
        normed = self.norm(embeddings.flatten(1)).view_as(embeddings)
        # Groups differ in width, so their maps cannot be one batched product.
        groups = normed.index_select(1, self.order).split(self.widths, dim=1)
        tokens = [mlp(group.flatten(1)) for mlp, group in zip(self.mlps, groups, strict=True)]
        return torch.stack(tokens, dim=1)


class ReshapeTokenizer(nn.Module):
    """No projection: the normed flat embeddings, reshaped to (token, dim).

    Example:
        >>> ReshapeTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=8)(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, *, num_fields: int, embedding_dim: int, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        if num_fields * embedding_dim != num_tokens * token_dim:
            raise ValueError(
                "field * embedding_dim must equal num_tokens * token_dim without a tokenizer, but "
                f"{num_fields} * {embedding_dim} and {num_tokens} * {token_dim} were given; "
                f"try num_tokens={num_fields}, token_dim={embedding_dim}"
            )
        self.num_tokens = num_tokens
        self.norm = RMSNorm(num_fields * embedding_dim)

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens of field embeddings."""
        tokens: Tensor = self.norm(embeddings.flatten(1))
        return tokens.view(len(tokens), self.num_tokens, -1)
