"""Refuse a training that does not fit in memory, and name the setting that lowers what it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import RunError, SettingsError
from rankelastor.execution.free_memory import FreeMemory, free_memory
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.fresh_ranker import is_out_of_memory
from rankelastor.training.memory_forecast import MemoryForecast, forecast_memory

_SETTINGS = (
    "model.embedding_dim",
    "model.token_dim",
    "training.batch_size",
    "training.slice_examples",
    "model.num_tokens",
    "model.num_blocks",
)
"""Settings that lower the memory, in the order in which they are tried."""


def check_memory(
    recipe: Recipe, dataset: PreparedDataset, *, device: torch.device, num_processes: int = 1
) -> MemoryForecast:
    """Foretell the memory of a training, in each of its processes, and compare it with what is free.

    Raises:
        SettingsError: it does not fit; the message names the parts, and a setting with which it does.
    """
    forecast = forecast_memory(recipe.model, recipe.training, dataset, device=device, num_processes=num_processes)
    free = free_memory(device)
    if free is not None and forecast.total > free.num_bytes:
        raise SettingsError(_refusal(forecast, free, recipe, dataset, device=device, num_processes=num_processes))
    return forecast


@contextmanager
def out_of_memory_explained(
    recipe: Recipe, dataset: PreparedDataset, *, device: torch.device, num_processes: int = 1
) -> Iterator[None]:
    """Turn the error of an allocator, which the forecast did not foresee, into one that says what takes the memory.

    Raises:
        RunError: memory ran out; the message names the parts of the forecast, and a setting that lowers them.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not is_out_of_memory(error):
            raise
        forecast = forecast_memory(recipe.model, recipe.training, dataset, device=device, num_processes=num_processes)

        def total(changed: Recipe) -> int:
            return forecast_memory(
                changed.model, changed.training, dataset, device=device, num_processes=num_processes
            ).total

        raise RunError(
            f"training must fit in memory, but memory ran out, though the forecast was {forecast.total / 1e9:,.1f} GB "
            f"({forecast}); {_what_to_try(recipe, total, forecast.total // 2)}, or stop what else takes memory"
        ) from error


def _refusal(
    forecast: MemoryForecast,
    free: FreeMemory,
    recipe: Recipe,
    dataset: PreparedDataset,
    *,
    device: torch.device,
    num_processes: int,
) -> str:
    def total(changed: Recipe) -> int:
        return forecast_memory(
            changed.model, changed.training, dataset, device=device, num_processes=num_processes
        ).total

    return (
        f"training must fit in memory, but takes about {forecast.total / 1e9:,.1f} GB ({forecast}) and "
        f"{free.num_bytes / 1e9:,.1f} GB are {free.source}; {_what_to_try(recipe, total, free.num_bytes)}"
    )


def _what_to_try(recipe: Recipe, total: Callable[[Recipe], int], free: int) -> str:
    """Find settings that lower the memory when they are halved, and one value of one of them with which it fits."""
    values, now = recipe.model_dump(mode="json"), total(recipe)
    given = {path: value for path in _SETTINGS if isinstance(value := _value(values, path), int) and value > 1}
    lowers = {}
    for path, value in given.items():
        with_half = _total_with(recipe, path, value // 2, total)
        if with_half is not None and with_half < now:
            lowers[path] = now - with_half
    for path in sorted(lowers, key=lowers.__getitem__, reverse=True):
        value = given[path]
        while value > 1:
            value //= 2
            needed = _total_with(recipe, path, value, total)
            if needed is not None and needed <= free:
                return f"try {path}={value} instead of {given[path]}"
    names = " and ".join(sorted(lowers, key=lowers.__getitem__, reverse=True)[:3])
    return f"try smaller {names}" if names else "try another machine"


def _total_with(recipe: Recipe, path: str, value: int, total: Callable[[Recipe], int]) -> int | None:
    """Foretell the memory with another value of a setting; None if the value is not allowed."""
    try:
        return total(with_overrides(recipe, {path: value}))
    except SettingsError:
        return None


def _value(values: Mapping[str, Any], path: str) -> Any:
    place: Any = values
    for key in path.split("."):
        place = place.get(key) if isinstance(place, Mapping) else None
    return place
