"""Observe the outputs of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def observe_outputs(points: Mapping[str, nn.Module], note: Callable[[str, Tensor], object]) -> Iterator[None]:
    """Call ``note`` with the name and the output of each of these modules whenever it runs."""
    handles = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: note(name, output))
        for name, module in points.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
