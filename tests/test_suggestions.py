from pathlib import Path

from rankelastor.suggestions import did_you_mean, what_lies_near


def test_the_nearest_name_is_suggested_whatever_its_case() -> None:
    assert did_you_mean("Patiance", ["seed", "patience"]) == "did you mean patience?"
    assert did_you_mean("clck", ["Click"], quoted=True) == "did you mean 'Click'?"
    assert did_you_mean("far off", ["Click"]) == ""


def test_what_lies_near_a_missing_path_is_a_neighbour_or_the_contents_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "frappe-seed1").mkdir()
    (tmp_path / ".hidden").touch()
    assert what_lies_near(tmp_path / "frappe-sed1") == f"did you mean {tmp_path}/frappe-seed1?"
    assert what_lies_near(tmp_path / "zzz") == f"{tmp_path} holds frappe-seed1"
    assert what_lies_near(tmp_path / "no" / "run") == f"the folder {tmp_path / 'no'} does not exist either"


def test_the_current_folder_is_named_as_such() -> None:
    assert what_lies_near(Path("certainly-no-such-thing-here")).startswith("the current folder holds ")
