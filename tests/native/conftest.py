from collections.abc import Iterator

import pytest

from rankelastor.native import library


@pytest.fixture(autouse=True)
def _load_anew() -> Iterator[None]:
    library._loaded.cache_clear()
    yield
    library._loaded.cache_clear()
