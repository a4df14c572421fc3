import json
from pathlib import Path

import pytest

import rankelastor.extras
from rankelastor.extras import how_to_install


def test_a_checkout_is_named_so_that_the_line_works_in_any_folder() -> None:
    checkout = Path(rankelastor.extras.__file__).parents[2]
    assert (checkout / "pyproject.toml").is_file()
    assert how_to_install("hub").replace("'", "") == f"pip install -e {checkout}[hub]"


@pytest.mark.parametrize(("editable", "flag"), [(True, "-e "), (False, "")])
def test_an_installed_package_is_installed_again_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool, flag: str
) -> None:
    folder = tmp_path / "my checkout"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    url = {"url": folder.as_uri(), "dir_info": {"editable": editable}}
    pretend_installed(tmp_path, monkeypatch, json.dumps(url))
    assert how_to_install("report") == f"pip install {flag}'{folder}[report]'"


def test_a_package_from_an_index_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(tmp_path, monkeypatch, None)
    assert how_to_install("track") == "pip install 'rankelastor[track]'"


def pretend_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct_url: str | None) -> None:
    """Let the package seem to lie in site-packages, with this origin."""

    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return direct_url

    monkeypatch.setattr(rankelastor.extras, "__file__", str(tmp_path / "lib" / "site-packages" / "p" / "extras.py"))
    monkeypatch.setattr(rankelastor.extras, "distribution", lambda _: Installed())
