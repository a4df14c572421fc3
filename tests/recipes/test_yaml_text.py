"""Tests that YAML from anyone gives plain values or one message, in little time."""

import time
from pathlib import Path

import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.load import load_recipe, parse_overrides
from rankelastor.recipes.yaml_text import parse_yaml, read_yaml_text

LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2024-13-01", r"month must be in 1\.\.12"),
        ("!!int abc", "invalid literal for int"),
        ("!!float abc", "could not convert string to float"),
        ("9" * 5000, "Exceeds the limit"),
        ("!!timestamp zz", "NoneType"),
        ("&x [*x]", "an alias stands inside of what it names"),
        ("[" * 5000, "it is nested too deeply"),
        (LAUGHS, "it must hold at most 200,000 values"),
        ("{a: 1, a: 2}", "the key 'a' is given twice"),
        ("? [a]\n: 1", "unhashable"),
        ("\0", "unacceptable character"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor for the tag"),
        ("!" + "a" * 5000 + " b", "could not determine"),
    ],
)
def test_whatever_a_parser_raises_is_one_message(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s)^the value of x must be YAML, but .*{reason}") as caught:
        parse_yaml(text, source="the value of x")
    assert len(str(caught.value)) < 600
    with pytest.raises(SettingsError, match=r"the value of a\.b must be YAML"):
        parse_overrides([f"a.b={text}"])


def test_aliases_that_repeat_little_are_followed() -> None:
    assert parse_yaml("a: &a [1, 2]\nb: [*a, *a]", source="x") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_time_grows_with_the_text_alone() -> None:
    began = time.process_time()
    assert len(parse_yaml("\n".join(f"k{i}: 1" for i in range(20_000)), source="x")) == 20_000
    with pytest.raises(SettingsError):
        parse_yaml(LAUGHS, source="x")
    assert time.process_time() - began < 20


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(SettingsError, match="/dev/zero must have at most 16 MiB"):
        read_yaml_text(Path("/dev/zero"))


@pytest.mark.parametrize("base", ["a\0b", "a" * 5000, "/dev/zero", "."])
def test_a_base_that_cannot_be_read_is_a_message(base: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_recipe({"extends": base})
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "DB_PASSWORD", "API_KEY", "KEY"])
def test_variables_that_may_hold_a_secret_are_not_written_anywhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(SettingsError, match=f"data.prepared: .*{name} may hold a secret") as caught:
        load_recipe({"name": "a", "data": {"prepared": f"x/${{{name}}}"}})
    assert "hunter2" not in str(caught.value)


def test_variables_stand_in_paths_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "here")
    with pytest.raises(SettingsError, match=r"name: environment variables can stand in paths alone .* '\$\{HOST\}'"):
        load_recipe({"name": "run-${HOST}"})
