"""Read and set the state of PyTorch's random generators."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Copy the states of the generators that a training on ``device`` draws from: ``cpu``, and ``cuda`` on CUDA.

    Example:
        >>> before = random_state(torch.device("cpu"))
        >>> first = torch.rand(2)
        >>> set_random_state(before, torch.device("cpu"))
        >>> torch.equal(first, torch.rand(2))
        True
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set the generators to states that ``random_state`` gave; one of a device that is not used now is left out.

    Raises:
        ValueError: the state of the CPU's generator is missing or invalid.
    """
    if "cpu" not in states:
        raise ValueError("the state of the CPU's random generator is missing")
    try:
        torch.set_rng_state(states["cpu"])
        if device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the state of a random generator is invalid: {error}") from error
