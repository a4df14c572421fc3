"""The random generators of a training: one of its own, and PyTorch's global ones where it cannot do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

_OWN, _CPU, _CUDA = "own", "cpu", "cuda"
_STRIDE = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Generators:
    """The generators of one training.

    Dropout on the CPU draws from ``own``, so that trainings side by side in threads take no numbers from each other.
    What PyTorch draws itself, on CUDA and in compiled code, comes from its global generators.

    Attributes:
        own: generator of the CPU that this training alone draws from.
        device: device of the training.
        uses_global: whether PyTorch's global generators are drawn from, too.
        rank: rank of this process among those that train together, whose global generators differ.
    """

    own: torch.Generator
    device: torch.device
    uses_global: bool
    rank: int = 0

    @classmethod
    def seeded(cls, seed: int, device: torch.device, *, is_compiled: bool = False, rank: int = 0) -> Generators:
        """Make the generators of a training, which are the same for the same seed.

        Args:
            seed: the seed.
            device: device of the training.
            is_compiled: whether steps are compiled.
            rank: rank of this process among those that train together.
        """
        return cls(
            torch.Generator().manual_seed(seed), device, uses_global=is_compiled or device.type != "cpu", rank=rank
        )

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Seed PyTorch's global generators within the context if they are used; they are put back at its end.

        Example:
            >>> before = torch.get_rng_state()
            >>> with Generators.seeded(1, torch.device("cpu"), is_compiled=True).borrowed():
            ...     _ = torch.rand(2)
            >>> torch.equal(before, torch.get_rng_state())
            True
        """
        if not self.uses_global:
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed((self.own.initial_seed() + self.rank * _STRIDE) % 2**63)
            yield

    def state(self) -> dict[str, Tensor]:
        """Copy the states of the generators, by name.

        Example:
            >>> generators = Generators.seeded(1, torch.device("cpu"))
            >>> before = generators.state()
            >>> first = torch.rand(2, generator=generators.own)
            >>> generators.restore(before)
            >>> torch.equal(first, torch.rand(2, generator=generators.own))
            True
        """
        states = {_OWN: self.own.get_state()}
        if self.uses_global:
            states[_CPU] = torch.get_rng_state()
        if self.device.type == "cuda":
            states[_CUDA] = torch.cuda.get_rng_state(self.device)
        return states

    def restore(self, states: Mapping[str, Tensor]) -> None:
        """Set the generators to states that ``state`` gave; one of a device that is not used now is left out.

        Raises:
            ValueError: the state of the training's own generator is missing, or a state is invalid.
        """
        if _OWN not in states:
            raise ValueError("the state of the training's random generator is missing")
        try:
            self.own.set_state(states[_OWN])
            if self.uses_global and _CPU in states:
                torch.set_rng_state(states[_CPU])
            if self.device.type == "cuda" and _CUDA in states:
                torch.cuda.set_rng_state(states[_CUDA], self.device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"the state of a random generator is invalid: {error}") from error
