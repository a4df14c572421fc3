import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe


def test_sharded_tables_are_refused_with_what_is_missing(recipe: Recipe) -> None:
    missing = r"sharded was given: tables sharded by TorchRec are not built yet; try replicated"
    with pytest.raises(SettingsError, match=missing):
        with_overrides(recipe, {"training.distributed.embedding": "sharded"})
    with pytest.raises(SettingsError, match=r"plan divides a sharded table, but row_wise was given with embedding=rep"):
        with_overrides(recipe, {"training.distributed.plan": "row_wise"})
