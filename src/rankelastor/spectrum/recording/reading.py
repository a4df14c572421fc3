"""Functions that read token matrices from the output of a module: values of ``Recorder``'s ``read_tokens``."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankelastor.errors import SettingsError

NUM_AXES_OF_TOKENS = 3


def first_tensor(output: object) -> Tensor:
    """Return the output if it is a tensor, or the first element of a tuple or list, as attention layers return."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        return output[0]
    raise SettingsError(
        f"a point's output must be a tensor, or a tuple that starts with one, but {type(output).__name__} was given; "
        f"try read_tokens= with a function that extracts the tokens"
    )


def feature_map_tokens(output: object) -> Float[Tensor, "batch position channel"]:
    """Read the feature map of a convolution: each position is a token, and its channels are the token's entries.

    The output has the shape (batch, channel, ...) with any number of spatial axes.

    Raises:
        SettingsError: If the output has no spatial axis.

    Example:
        >>> import torch
        >>> feature_map_tokens(torch.zeros(2, 16, 5, 7)).shape
        torch.Size([2, 35, 16])
    """
    found = first_tensor(output)
    if found.ndim < NUM_AXES_OF_TOKENS:
        raise SettingsError(
            f"a feature map must have the shape (batch, channel, ...), but {tuple(found.shape)} was given"
        )
    return found.flatten(2).mT
