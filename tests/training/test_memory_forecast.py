"""What is foretold of the memory, part by part; benchmarks/memory.py compares it with measured peaks."""

from dataclasses import asdict

import pytest
import torch

from rankelastor.data.prepare import open_or_prepare
from rankelastor.models.build import build_ranker
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.memory_forecast import MemoryForecast, forecast_memory

CPU = torch.device("cpu")


def forecast(recipe: Recipe, **changes: object) -> MemoryForecast:
    changed = with_overrides(recipe, {path.replace("__", "."): value for path, value in changes.items()})
    return forecast_memory(changed.model, changed.training, open_or_prepare(changed.data), device=CPU)


def test_weights_and_moments_are_counted_exactly(recipe: Recipe) -> None:
    ranker = build_ranker(recipe.model, open_or_prepare(recipe.data).schema)
    num_parameters = sum(parameter.numel() for parameter in ranker.parameters())
    num_in_buffers = sum(buffer.numel() for buffer in ranker.buffers())
    parts = forecast(recipe)
    assert parts.weights == 4 * (num_parameters + num_in_buffers)
    assert parts.optimiser == 8 * num_parameters


def test_averaged_weights_are_one_copy_more(recipe: Recipe) -> None:
    ranker = build_ranker(recipe.model, open_or_prepare(recipe.data).schema)
    num_parameters = sum(parameter.numel() for parameter in ranker.parameters())
    assert forecast(recipe, training__averaged_weights={"decay": 0.9}).optimiser == 12 * num_parameters


def test_lazy_updates_need_no_gradient_of_the_whole_table(recipe: Recipe) -> None:
    few = {"model__embedding_dim": 1000, "training__batch_size": 1}
    dense = forecast(recipe, training__embedding_updates="dense", **few)
    lazy = forecast(recipe, training__embedding_updates="lazy", **few)
    assert lazy.gradients < dense.gradients
    assert lazy.optimiser == dense.optimiser


def test_row_wise_adagrad_keeps_one_number_for_each_row(recipe: Recipe) -> None:
    ranker = build_ranker(recipe.model, open_or_prepare(recipe.data).schema)
    table = ranker.embedding.table
    num_dense = sum(parameter.numel() for parameter in ranker.parameters()) - table.numel()
    parts = forecast(recipe, training__optimiser__embedding_rule="rowwise_adagrad")
    assert parts.optimiser == 8 * num_dense + 4 * len(table)


def test_activations_grow_with_the_batch_until_slices_bound_them(recipe: Recipe) -> None:
    one, four = (forecast(recipe, training__batch_size=size).activations for size in (1, 4))
    assert four == pytest.approx(4 * one)
    sliced = forecast(recipe, training__batch_size=4, training__slice_examples=1)
    assert sliced.activations == one


def test_the_parts_add_up_and_are_shown(recipe: Recipe) -> None:
    parts = forecast(recipe)
    assert parts.total == sum(asdict(parts).values())
    assert str(parts).startswith("weights 0.0, gradients 0.0, ")


def test_a_process_of_two_has_half_of_sharded_tables_and_of_a_batch(recipe: Recipe) -> None:
    rules = {"training.optimiser.embedding_rule": "rowwise_adagrad", "training.distributed.embedding": "sharded"}
    changed = with_overrides(recipe, rules | {"model.embedding_dim": 64})
    dataset = open_or_prepare(changed.data)
    one, two = (
        forecast_memory(changed.model, changed.training, dataset, device=CPU, num_processes=number) for number in (1, 2)
    )
    table = 4 * build_ranker(changed.model, dataset.schema).embedding.table.numel()
    assert one.weights - two.weights == table / 2
    assert two.lookups < 0.6 * one.lookups
