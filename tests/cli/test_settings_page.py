import re
from pathlib import Path

from rankelastor.cli.settings_page import COMMAND, settings_page
from rankelastor.recipes.setting_tree import all_settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), f"docs/settings.md is stale: run `{COMMAND}`"


def test_the_page_lists_every_setting() -> None:
    page = settings_page()
    for setting in all_settings():
        assert f"| `{setting.name}` |" in page
        assert setting.description.replace("|", "\\|") in page


def test_links_lead_to_headings() -> None:
    page = settings_page()
    headings = {re.sub(r"[^\w-]", "", heading) for heading in re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)}
    links = re.findall(r"\(#([^)]*)\)", page)
    assert links
    assert set(links) <= headings


def test_each_section_comes_once() -> None:
    headings = re.findall(r"^#+ (.*)$", settings_page(), flags=re.MULTILINE)
    assert len(headings) == len(set(headings))


def test_tables_have_four_cells_in_every_row() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
