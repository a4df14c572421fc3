"""Measures of embedding tables, weights and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.spectrum.parameters import (
    measure_embedding_tables,
    measure_gradient,
    measure_weight,
)


def test_each_fields_table_is_measured_alone() -> None:
    table = torch.zeros(9, 3)
    table[1:4] = torch.eye(3)
    table[5:9] = torch.ones(4, 3)
    tables = measure_embedding_tables(table, {"wide": slice(0, 4), "collapsed": slice(4, 9)})
    assert tables["wide"].measures["stable_rank"] == pytest.approx(3)
    assert tables["collapsed"].measures["stable_rank"] == pytest.approx(1)
    assert tables["collapsed"].max_possible_rank == 3
    assert tables["wide"].matrix == "embedding table of wide (vocabulary x e)"


def test_a_table_of_zeros_has_no_stable_rank() -> None:
    assert measure_embedding_tables(torch.zeros(4, 3), {"new": slice(0, 4)})["new"].measures["stable_rank"] is None


def test_a_field_without_rows_is_an_error() -> None:
    with pytest.raises(SettingsError, match="field 'site' has"):
        measure_embedding_tables(torch.zeros(4, 3), {"site": slice(4, 6)})


def test_the_identity_is_added_for_the_map_with_its_residual() -> None:
    layer = nn.Linear(4, 4)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0] = 1
    assert measure_weight(layer, "weight").measures["stable_rank"] == pytest.approx(1)
    # singular values 2, 1, 1, 1
    with_identity = measure_weight(layer, "weight", plus_identity=True)
    assert with_identity.measures["stable_rank"] == pytest.approx(7 / 4)
    assert with_identity.matrix == "weight weight plus identity"


def test_a_gradient_is_measured_as_the_backward_pass_left_it() -> None:
    layer = nn.Linear(3, 2)
    layer(torch.ones(5, 3)).sum().backward()
    assert measure_gradient(layer, "weight").measures["stable_rank"] == pytest.approx(1)


def test_a_sparse_gradient_is_measured() -> None:
    table = nn.Embedding(4, 2, sparse=True)
    (table(torch.tensor([1, 2])) * torch.eye(2)).sum().backward()
    assert measure_gradient(table, "weight").measures["stable_rank"] == pytest.approx(2)


def test_bad_requests_are_errors_that_say_what_is_there() -> None:
    layer = nn.Linear(3, 2)
    with pytest.raises(SettingsError, match="one of weight, but 'bias' was given"):
        measure_weight(layer, "bias")
    with pytest.raises(SettingsError, match="must be square for plus_identity, but 'weight' is 2 x 3"):
        measure_weight(layer, "weight", plus_identity=True)
    with pytest.raises(SettingsError, match=r"must have a gradient.*loss.backward\(\)"):
        measure_gradient(layer, "weight")
