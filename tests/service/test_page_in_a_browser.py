"""The page of the service in a real browser: headless Chromium types into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browsers import chromium
from tests.bundles.bundled_runs import tiny_run
from tests.service.running_services import Client, running

from rankelastor.bundles.make import BundleOptions, bundle_run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile"), "--window-size=1100,1050") as driver:
        yield driver


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    bundle_run(tiny_run(folder), folder / "model.rank", options=BundleOptions(measure=False))
    return folder / "model.rank"


@pytest.fixture(scope="module")
def client(bundle: Path) -> Iterator[Client]:
    with running(bundle) as client:
        yield client


def shown(browser: Chrome, name: str) -> str:
    """The text of an element; nothing while the page has none, as between two dialogs."""
    return str(browser.execute_script("return document.getElementById(arguments[0])?.innerText ?? ''", name))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def set_field(browser: Chrome, name: str, value: str) -> None:
    browser.execute_script(
        "const input = document.querySelector(`input[name=${arguments[0]}]`); input.value = arguments[1];"
        "input.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


def test_the_probability_follows_what_is_typed_and_candidates_are_ranked(
    browser: Chrome, client: Client, tmp_path: Path
) -> None:
    browser.get(f"http://127.0.0.1:{client.port}/")
    wait_for(lambda: shown(browser, "probability").endswith("%"))
    assert "tiny (rankelastor)" in shown(browser, "title")
    assert {"site", "device", "price"} <= set(shown(browser, "moved").split("\n"))
    before = shown(browser, "probability")
    set_field(browser, "price", "9")
    wait_for(lambda: shown(browser, "probability") != before)
    row = {"site": "a", "device": "phone", "price": 9}
    expected = client.score([row])["probabilities"][0]
    assert shown(browser, "probability") == f"{100 * expected:.3f} %"
    set_field(browser, "device", "<b>watch")
    wait_for(lambda: "never seen in training: device" in shown(browser, "note"))
    set_field(browser, "price", "much")
    wait_for(lambda: "must hold numbers, but 'much' was given" in shown(browser, "error"))
    set_field(browser, "price", "1")
    browser.execute_script("document.getElementById('csv').value = 'site,price\\na,0.1\\n\"b\",2\\nc,3'")
    browser.execute_script("document.getElementById('rank').click()")
    wait_for(lambda: shown(browser, "ranking").count("%") == 3)
    assert browser.save_screenshot(str(tmp_path / "page.png"))
    require_no_problems(browser, but="422")
    browser.find_element("id", "card").click()
    wait_for(lambda: "# tiny" in shown(browser, "told"))
    browser.find_element("id", "metrics").click()
    wait_for(lambda: "rankelastor_requests_total" in shown(browser, "told"))


def require_no_problems(browser: Chrome, *, but: str) -> None:
    """Check that the browser logged nothing but answers of one status, and no attempt to reach the net."""
    log: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert not [entry for entry in log if but not in entry["message"] and "favicon" not in entry["message"]]


def enter_token(browser: Chrome, token: str) -> None:
    wait_for(lambda: bool(browser.find_elements("css selector", "dialog#token[open]")))
    browser.find_element("css selector", "#token input").send_keys(token + "\n")


def test_a_page_asks_for_the_token_and_keeps_it_for_the_other_pages(
    browser: Chrome, bundle: Path, tmp_path: Path
) -> None:
    with running(bundle, token="secret") as client:
        browser.get(f"http://127.0.0.1:{client.port}/")
        wait_for(lambda: bool(browser.find_elements("css selector", "dialog#token[open]")))
        assert "price" not in browser.page_source
        assert browser.save_screenshot(str(tmp_path / "token.png"))
        enter_token(browser, "wrong")
        wait_for(lambda: "not the service's" in shown(browser, "token"))
        enter_token(browser, "secret")
        wait_for(lambda: shown(browser, "probability").endswith("%"))
        assert not browser.find_elements("id", "token")
        browser.get(f"http://127.0.0.1:{client.port}/docs")
        wait_for(lambda: "/v1/rank" in shown(browser, "paths"))
        assert not browser.find_elements("id", "token")
        require_no_problems(browser, but="401")


def test_the_documentation_names_the_fields_and_sends_requests_without_the_net(
    browser: Chrome, client: Client, tmp_path: Path
) -> None:
    browser.get(f"http://127.0.0.1:{client.port}/docs")
    wait_for(lambda: "/v1/rank" in shown(browser, "paths"))
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
    assert all(name.startswith(f"http://127.0.0.1:{client.port}/") for name in loaded)
    section = browser.find_element("css selector", "#paths details:nth-child(2)")
    section.find_element("css selector", "summary").click()
    text = section.text
    assert all(words in text for words in ("candidates", "list of rows", "numeric", "429", "Retry-After"))
    section.find_element("css selector", "button").click()
    wait_for(lambda: '"probabilities"' in section.find_element("css selector", "pre").text)
    assert section.find_element("css selector", "pre").text.startswith("200")
    assert browser.save_screenshot(str(tmp_path / "docs.png"))
    require_no_problems(browser, but="favicon")
