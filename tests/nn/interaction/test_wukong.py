import torch
from tests.nn.gradients import require_exact_gradients
from torch import nn

from rankelastor.nn.interaction.wukong import FactorizationBlock, RowMap, WukongLayer


def test_new_rows_are_combinations_by_hand() -> None:
    rows = RowMap(num_rows=2, num_out=1)
    rows.linear.weight.data = torch.tensor([[1.0, 10.0]])
    assert rows(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist() == [[[31.0, 42.0]]]


def test_the_products_are_those_of_every_row_with_the_projected_rows() -> None:
    block = FactorizationBlock(num_rows=3, dim=2, num_out=1, rank=2, hidden_dims=[], last_activation="identity")
    seen = []
    block.norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    rows = torch.randn(4, 3, 2)
    block(rows)
    y = block.rank_map.weight.T  # (row, rank)
    expected = torch.stack([x @ x.T @ y for x in rows]).flatten(1)
    torch.testing.assert_close(seen[0], expected)


def test_the_residual_is_the_input_where_the_number_of_rows_stays() -> None:
    def residual(num_compressed: int) -> nn.Module:
        layer = WukongLayer(
            num_rows=3, dim=2, num_factorized=1, num_compressed=num_compressed, rank=2, hidden_dims=[],
            last_activation="relu",
        )  # fmt: skip
        return layer.residual

    assert isinstance(residual(2), nn.Identity)
    assert isinstance(residual(3), RowMap)


def test_gradients_are_exact() -> None:
    layer = WukongLayer(
        num_rows=3, dim=2, num_factorized=2, num_compressed=2, rank=2, hidden_dims=[3], last_activation="identity"
    )
    torch.manual_seed(0)
    require_exact_gradients(layer.double(), torch.randn(2, 3, 2, dtype=torch.float64))
