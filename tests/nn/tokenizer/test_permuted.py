import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tokenizer.permuted import PermutedTokenizer, permuted_groups


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_every_field_is_in_one_group_and_sizes_differ_by_at_most_one(fields: int, groups: int, seed: int) -> None:
    made = permuted_groups(fields, groups, seed=seed)
    assert sorted(field for group in made for field in group) == list(range(fields))
    sizes = {len(group) for group in made}
    assert max(sizes) - min(sizes) <= 1


def test_a_seed_gives_one_permutation() -> None:
    assert permuted_groups(20, 4, seed=3) == permuted_groups(20, 4, seed=3)
    assert permuted_groups(20, 4, seed=3) != permuted_groups(20, 4, seed=4)


def test_a_token_depends_on_its_fields_of_its_table_alone() -> None:
    tokenizer = PermutedTokenizer(num_fields=5, embedding_dim=2, num_tables=2, num_tokens=3, token_dim=4, seed=0)
    rows = torch.randn(1, 5, 4, requires_grad=True)
    for token, group in enumerate(tokenizer.groups):
        (gradient,) = torch.autograd.grad(tokenizer(rows)[0, token].sum(), rows)
        tables = gradient[0].view(5, 2, 2)  # field, table, coordinate
        touched = {(field, table) for field in range(5) for table in range(2) if tables[field, table].any()}
        assert touched == {(field, token % 2) for field in group}


def test_more_groups_than_fields_do_not_fit() -> None:
    with pytest.raises(SizesDoNotFit, match=r"at most 2 groups for the 2 fields, but leaves 3; try .* smaller by 1"):
        PermutedTokenizer(num_fields=2, embedding_dim=2, num_tables=1, num_tokens=3, token_dim=4, seed=0)


@pytest.mark.parametrize("num_fields", [4, 6])
def test_more_or_fewer_fields_than_it_was_made_for_are_refused(num_fields: int) -> None:
    tokenizer = PermutedTokenizer(num_fields=5, embedding_dim=2, num_tables=2, num_tokens=2, token_dim=3, seed=0)
    with pytest.raises(AssertionError, match="as many fields as the tokenizer was made for"):
        tokenizer(torch.randn(1, num_fields, 4))
