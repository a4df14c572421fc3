"""Per-token split tokenizer: equal slices of the flat embeddings, each with its own linear map."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.sizes import SizesDoNotFit


class PerTokenSplitTokenizer(nn.Module):
    """Cut the ordered, normalised flat embeddings into T equal slices; each has its OWN linear map to a token.

    The flat vector is padded with zeros to a multiple of T.

    NOTE[DIFF]: RankMixer's paper has no norm before the maps; all tokenizers here begin with one, since embeddings
    start near zero. ``norm: false`` is the paper's form. Covered by tests/nn/tokenizer/test_per_token_split.py.

    Args:
        num_fields: number of fields.
        field_names: names of all fields, in the order of their embeddings.
        embedding_dim: width of one field's embedding.
        num_tokens: T.
        token_dim: D.
        field_order: names of all fields in the order in which they are cut, so that fields of one meaning are
            neighbours; empty: the order of the data.
        norm: whether an RMSNorm over all coordinates precedes the cut.

    Example:
        >>> tokenizer = PerTokenSplitTokenizer(
        ...     num_fields=3, field_names=["a", "b", "c"], embedding_dim=4, num_tokens=4, token_dim=2
        ... )
        >>> tokenizer.maps.weight.shape, tokenizer(torch.randn(2, 3, 4)).shape  # 12 coordinates in slices of 3
        (torch.Size([4, 3, 2]), torch.Size([2, 4, 2]))

    Source: RankMixer, arXiv 2507.15551, section 3.2.

    Raises:
        SizesDoNotFit: ``field_order`` does not hold every field once, or a slice would hold padding alone.
    """

    order: Tensor

    def __init__(
        self,
        *,
        num_fields: int,
        field_names: Sequence[str],
        embedding_dim: int,
        num_tokens: int,
        token_dim: int,
        field_order: Sequence[str] = (),
        norm: bool = True,
    ) -> None:
        super().__init__()
        _check_order(field_order, field_names)
        flat_dim = num_fields * embedding_dim
        slice_dim = -(-flat_dim // num_tokens)
        if (num_tokens - 1) * slice_dim >= flat_dim:
            raise SizesDoNotFit(
                f"num_tokens must leave no slice empty when field * embedding_dim = {flat_dim} is cut into slices of "
                f"{slice_dim}, but {num_tokens} was given; try num_tokens={-(-flat_dim // slice_dim)}"
            )
        self.num_tokens = num_tokens
        self.padding = num_tokens * slice_dim - flat_dim
        places = [list(field_names).index(name) for name in field_order or field_names]
        self.register_buffer("order", torch.tensor(places), persistent=False)
        self.norm = RMSNorm(flat_dim) if norm else nn.Identity()
        self.maps = PerTokenLinear(num_tokens=num_tokens, in_dim=slice_dim, out_dims=[token_dim])

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens: the own map of each slice."""
        assert embeddings.shape[1] == len(self.order), "as many fields as the tokenizer was made for"
        flat = self.norm(embeddings.index_select(1, self.order).flatten(1))
        tokens: Tensor = self.maps(pad(flat, (0, self.padding)).unflatten(1, (self.num_tokens, -1)))
        return tokens


def _check_order(field_order: Sequence[str], field_names: Sequence[str]) -> None:
    if field_order and sorted(field_order) != sorted(field_names):
        wrong = sorted(set(field_order) ^ set(field_names)) or sorted(
            {name for name in field_order if list(field_order).count(name) > 1}
        )
        raise SizesDoNotFit(f"tokenizer.field_order must hold every field once, but does not for {wrong}")
