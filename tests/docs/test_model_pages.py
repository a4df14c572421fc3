"""docs/models/ has a page for each model, which is up to date and has a picture."""

from __future__ import annotations

import re

import pytest
from tests.docs.model_pages import DOCS, PAGES, body_of, page_of

from rankelastor.models.overview import ModelOverview, models_overview

MODELS = models_overview()
INDEX = (DOCS / "models.md").read_text(encoding="utf-8")
WHICH = (PAGES / "which.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_the_page_of_a_model_is_up_to_date(model: ModelOverview) -> None:
    path = PAGES / f"{model.kind}.md"
    assert path.is_file(), "run: python -m tests.docs.model_pages, then write how the model works"
    assert path.read_text(encoding="utf-8") == page_of(model, body_of(path)), "run: python -m tests.docs.model_pages"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_a_page_says_how_the_model_works_with_a_picture(model: ModelOverview) -> None:
    body = body_of(PAGES / f"{model.kind}.md")
    assert re.search(r"^```(mermaid|text)$", body, re.M), model.kind
    assert f"](models/{model.kind}.md)" in INDEX


def test_no_page_is_left_of_a_model_that_is_gone() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {model.kind for model in MODELS} | {"which"}


def test_links_between_the_pages_lead_somewhere() -> None:
    titles = re.findall(r"^## (.*)$", INDEX.lower(), re.M)
    headings = {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}
    for path in PAGES.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
            assert not target or (path.parent / target).is_file(), f"{path.name}: {target}"
            if target == "../models.md" and anchor:
                assert anchor in headings, f"{path.name}: {anchor}"
