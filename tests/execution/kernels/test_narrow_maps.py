"""Maps from a single number, whose weights lie the same whether they are transposed or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tests.execution.comparing import exact_results, lowered_results, plain_results, require_as_exact
from tests.native.test_calling import needs_kernels

from rankelastor.native import library
from rankelastor.nn.projection import Projection


@pytest.fixture(params=[True, False], ids=["tiles", "BLAS"])
def _products(request: pytest.FixtureRequest) -> Iterator[None]:
    needs_kernels()
    build = library.loaded_build()
    assert build is not None
    build.library.use_tiles(int(request.param))
    yield
    build.library.use_tiles(int(build.products == "tiles"))


@pytest.mark.usefixtures("_products")
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_a_hidden_width_of_one_is_mapped(rows: int) -> None:
    torch.manual_seed(0)
    layer, x = Projection(in_dim=5, hidden_dims=[1], out_dim=4, norm=False, dropout=0.0), torch.randn(rows, 5)
    require_as_exact(lowered_results(layer, x), plain_results(layer, x), exact_results(layer, x))
