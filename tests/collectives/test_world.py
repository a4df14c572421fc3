import pytest

from rankelastor.collectives.world import World


@pytest.mark.parametrize("rank", [-1, 4])
def test_a_rank_outside_the_world_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank must lie in 0 to 3, but {rank} was given"):
        World(4, rank)


def test_shares_are_disjoint_and_together_everything() -> None:
    assert [World(4, rank).share(6) for rank in range(4)] == [(0, 1), (1, 3), (3, 4), (4, 6)]
