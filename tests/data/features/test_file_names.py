from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.features.file_names import FileNames, safe_file_names


@given(st.lists(st.text(min_size=1), unique=True))
def test_file_names_are_safe_and_differ_whatever_the_features_are_called(features: list[str]) -> None:
    names = safe_file_names(features)
    assert list(names) == features
    assert len({name.lower() for name in names.values()}) == len(features)
    assert all(name.isascii() and "/" not in name and len(name) < 200 and name[0] != "." for name in names.values())


def test_names_given_one_by_one_are_those_given_together() -> None:
    features = ["site", "Site", "a/b", "SITE"]
    names = FileNames(suffix=".parquet")
    assert {feature: names.make(feature) for feature in features} == safe_file_names(features)
