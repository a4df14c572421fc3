"""Tests that a service scores as predict does, refuses what it cannot answer, and swaps bundles without a gap."""

import gc
import http.client
import json
import logging
import shutil
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest
from tests.bundles.bundled_runs import tiny_recipe, tiny_run
from tests.conftest import tiny_values, write_clicks
from tests.service.running_services import Client, running

from rankelastor.bundles.examples import ExampleScores, score_rows
from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.errors import DataError
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.schema import Batch
from rankelastor.service import store
from rankelastor.service.limits import Limits
from rankelastor.service.model import Asked, Scored, ServedModel
from rankelastor.service.refusals import Refusal
from rankelastor.service.telemetry import Telemetry
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.training.run import train

ROWS: list[dict[str, Any]] = [
    {"site": "a", "device": "phone", "price": 1.5},
    {"site": "nowhere", "device": "tablet", "price": None},
    {"site": "c", "device": "phone", "price": 0.1},
]
QUICK = BundleOptions(measure=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a tiny run."""
    folder = tmp_path_factory.mktemp("served")
    bundle_run(tiny_run(folder), folder / "model.rank", options=QUICK)
    return folder / "model.rank"


@pytest.fixture(scope="module")
def client(bundle: Path) -> Iterator[Client]:
    """A running service."""
    with running(bundle) as client:
        yield client


def expected(place: Path, rows: list[dict[str, Any]]) -> list[float]:
    return predict_proba(load_run(place), pl.DataFrame(rows)).tolist()  # type: ignore[no-any-return]


def test_scores_are_those_of_predict_bit_for_bit(client: Client, bundle: Path) -> None:
    assert client.score(ROWS)["probabilities"] == expected(bundle, ROWS)
    assert client.score(ROWS)["tasks"] == ["click"]


def test_one_context_with_many_candidates_is_ranked_by_the_same_scores(client: Client, bundle: Path) -> None:
    candidates = [{"site": site, "price": price} for site in "abc" for price in (0.1, 1.5, None)]
    status, answer = client.call("/v1/rank", {"context": {"device": "phone"}, "candidates": candidates})
    assert status == 200
    scores = expected(bundle, [{"device": "phone", **each} for each in candidates])
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    assert answer["order"] == order
    assert answer["probabilities"] == [scores[index] for index in order]


def test_concurrent_requests_are_batched_and_each_gets_its_own_scores(client: Client, bundle: Path) -> None:
    scores = dict(zip(["a", "nowhere", "c"], expected(bundle, ROWS), strict=True))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda index: client.score([ROWS[index % 3]]), range(96)))
    for index, answer in enumerate(answers):
        assert answer["probabilities"][0] == pytest.approx(scores[ROWS[index % 3]["site"]], abs=1e-6)
    _, told = client.call("/metrics")
    counts = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert int(counts["rankelastor_batches_total"]) < int(counts["rankelastor_scored_rows_total"])
    assert counts["rankelastor_queue_rows"] == "0"


def test_a_wrong_request_spoils_none_that_is_encoded_with_it(bundle: Path) -> None:
    model = ServedModel(bundle)
    wrong = [{"site": "a", "device": "phone", "price": "much"}]
    numbers = [{"site": 1, "device": "phone", "price": 2}]
    for requests in ([ROWS[:1], ROWS[1:]], [ROWS[:1], wrong, ROWS[1:]], [ROWS[:1], numbers], [wrong]):
        for rows, found in zip(requests, model.score_together([Asked(rows) for rows in requests]), strict=True):
            if rows is wrong:
                assert isinstance(found, DataError)
            else:
                assert isinstance(found, Scored)
                np.testing.assert_allclose(found.probability[:, 0], expected(bundle, rows), atol=1e-6)
                assert found.batch.categorical.tolist() == model.encode(rows).categorical.tolist()
    model.close()


def test_a_number_that_is_too_large_spoils_no_other_request(tmp_path: Path) -> None:
    values = tiny_values(write_clicks(tmp_path), prepared=tmp_path / "prepared")
    values["data"]["fields"][1]["transform"] = "as_is"
    values["model"] = {"kind": "fm", "embedding_dim": 4}
    run = train(recipe_from_values(values), folder=tmp_path / "run").folder
    model = ServedModel(run)
    huge = [ROWS[0], {**ROWS[0], "price": 1e38}]
    first, refused, last = model.score_together([Asked(ROWS[:1]), Asked(huge), Asked(ROWS[1:])])
    for found, rows in ((first, ROWS[:1]), (last, ROWS[1:])):
        assert isinstance(found, Scored)
        np.testing.assert_allclose(found.probability[:, 0], expected(run, rows), atol=1e-6)
    assert isinstance(refused, Refusal)
    assert "the request, field 'price', row 2 must hold a number that this model can score" in refused.message
    model.close()


def test_a_fault_of_the_model_is_no_fault_of_the_request(bundle: Path) -> None:
    with running(bundle) as client:
        ranker = client.server.config.app.service.store.current.run.ranker  # type: ignore[union-attr]
        for weights in ranker.network.parameters():
            weights.data.fill_(float("nan"))
        status, answer = client.call("/v1/score", {"rows": ROWS})
        assert (status, "the model is at fault, and not the request" in answer["error"]) == (500, True), answer


def test_values_of_several_types_are_one_value(client: Client) -> None:
    texts = [{"site": "a", "device": "phone", "price": price} for price in ("1.5", 1.5)]
    first, second = client.score(texts)["probabilities"]
    assert first == pytest.approx(second, abs=1e-6)
    assert client.score([{"site": 7, "device": True, "price": 2}])["probabilities"]


def test_unseen_fields_are_named_if_asked(client: Client) -> None:
    assert client.score(ROWS, name_unseen=True)["unseen"] == [[], ["site"], []]
    body = {"context": {"device": "watch"}, "candidates": [{"site": "a", "price": 1}], "name_unseen": True}
    assert client.call("/v1/rank", body)[1]["unseen"] == [["device"]]


def test_fields_that_moved_a_row_are_told(client: Client) -> None:
    status, answer = client.call("/v1/explain", {"rows": ROWS[:1]})
    assert status == 200
    assert {each["column"] for each in answer["contributions"]} == {"site", "device", "price"}
    changes = [abs(each["change"]) for each in answer["contributions"]]
    assert changes == sorted(changes, reverse=True)


def test_an_explanation_counts_as_many_rows_as_it_scores_and_ends_in_time(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(bundle, limits=Limits(queue_rows=30, seconds=0.5)) as client:
        service = client.server.config.app.service  # type: ignore[union-attr]
        model, gate = service.store.current, threading.Event()
        assert model.num_explaining_rows == 1 + 3 * 10  # columns, and example rows
        assert client.call("/v1/explain", {"rows": ROWS[:1]})[0] == 200, "an empty queue takes it"
        with service.queue.place(0):
            status, answer = client.call("/v1/explain", {"rows": ROWS[:1]})
            assert (status, "this request has about 32" in answer["error"]) == (429, True), answer
            assert client.call("/v1/score", {"rows": ROWS[:1]})[0] == 200
        monkeypatch.setattr(model, "explain", lambda _: gate.wait(5))
        status, answer = client.call("/v1/explain", {"rows": ROWS[:1]})
        assert (status, "took longer than 0.5 s" in answer["error"]) == (503, True), answer
        gate.set()


def test_what_a_model_tells_outlives_the_folder_that_its_bundle_was_unpacked_into(bundle: Path) -> None:
    model = ServedModel(bundle)
    assert model.run.bundle is not None
    model.run.bundle.close()
    assert model.facts.description["card"].startswith("# tiny")
    assert model.facts.fields["example"].keys() >= {"site", "device", "price"}
    assert len(model.explain(ROWS[0])) == 3
    model.close()


def test_the_documentation_names_the_fields(client: Client) -> None:
    _, described = client.call("/openapi.json")
    row = described["components"]["schemas"]["Row"]
    assert row["required"] == ["site", "device", "price"]
    assert row["properties"]["price"]["description"] == "numeric"
    assert described["components"]["schemas"]["Context"].get("required", []) == []


def test_the_card_health_and_the_page_are_there(client: Client) -> None:
    _, model = client.call("/v1/model")
    assert (model["name"], model["columns"]) == ("tiny", ["site", "device", "price"])
    assert model["card"].startswith("# tiny")
    assert client.call("/healthz") == (200, {"status": "ok"})
    assert client.call("/readyz")[1]["status"] == "ready"
    status, fields = client.call("/v1/fields")
    assert (status, fields["name"], fields["columns"]) == (200, "tiny", ["site", "device", "price"])
    assert fields["example"].keys() >= {"site", "device", "price"}
    assert fields["values"]["site"]
    for path in ("/", "/docs", "/session.js"):
        status, page = client.call(path)
        assert (status, "://" in page) == (200, False), "a page loads nothing from the net"


def test_unknown_paths_and_methods_are_answered_as_other_errors_are(client: Client) -> None:
    assert client.call("/v1/rows") == (
        404,
        {"error": "GET /v1/rows must be a request of this service, but is none; see /docs"},
    )
    assert client.call("/v1/model", {})[0] == 405
    status, answer = client.call("/v1/score")
    assert (status, answer["error"]) == (405, "/v1/score must be asked with POST, but GET was given; see /docs")


def test_a_head_is_answered_without_a_body(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.request("HEAD", "/healthz")
    with connection.getresponse() as answer:
        assert (answer.status, answer.read()) == (200, b"")
    connection.close()


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 422, "Invalid JSON"),
        (b'{"rows": []}', 422, "must hold rows, but holds none"),
        (b'{"rows": [{"site": "a", "device": "b"}]}', 422, "rows.0.price: Field required"),
        (b'{"rows": [{"site": ["a"], "device": "b", "price": 1}]}', 422, "but is not: rows.0.site: Input"),
        (b'{"rows": [{"site": "a", "device": "b", "price": {}}]}', 422, "rows.0.price"),
        (b'{"rows": [{"site": "a", "device": "b", "price": NaN}]}', 422, "rows.0.price"),
        (b'{"rows": [{"site": "a", "device": "b", "price": Infinity}]}', 422, "rows.0.price"),
        (b'{"rows": [{"site": "a", "device": "b", "price": "much"}]}', 422, "must hold numbers, but 'much' was given"),
        (b'{"rows": [{"site": "a", "site": "b", "device": "b", "price": 1}]}', 422, "'site' is given twice"),
        (b'{"rows": [{"site": "\xff", "device": "b", "price": 1}]}', 422, "JSON"),
        (b'{"rows": [{"site": "\\ud800", "device": "b", "price": 1}]}', 422, ""),
        (b'{"rows": 3}', 422, "rows: Input should be a valid array"),
        (b'{"rows": [{"site": "a", "device": "b", "price": 1' + b"0" * 400 + b"}]}", 422, ""),
        (b"[" * 100_000, 422, ""),
    ],
)
def test_wrong_bodies_are_answered_by_what_is_wrong(client: Client, body: bytes, status: int, message: str) -> None:
    found, answer = client.call("/v1/score", raw=body)
    assert (found, message in answer["error"]) == (status, True), answer


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"context": {"device": "a"}, "candidates": []}, "must hold candidates, but holds none"),
        (
            {"context": {}, "candidates": [{"site": "a", "price": 1}]},
            "candidates.0.device: a field must stand in",
        ),
        (
            {"context": {"site": "a", "device": "a"}, "candidates": [{"site": "a", "price": 1}]},
            "candidates.0.site: a field must be given once",
        ),
    ],
)
def test_wrong_candidates_are_answered_by_what_is_wrong(client: Client, body: object, message: str) -> None:
    status, answer = client.call("/v1/rank", body)
    assert (status, message in answer["error"]) == (422, True), answer


def test_limits_answer_at_once(bundle: Path) -> None:
    limits = Limits(body_bytes=2000, rows=2, candidates=2, queue_rows=3)
    with running(bundle, limits=limits) as client:
        assert client.call("/v1/score", {"rows": ROWS})[0] == 413
        candidates = [{"site": "a", "price": 1}] * 3
        assert client.call("/v1/rank", {"context": {"device": "a"}, "candidates": candidates})[0] == 413
        assert client.call("/v1/score", raw=b" " * 3000)[0] == 413
        service = client.server.config.app.service  # type: ignore[union-attr]
        place = service.queue.place(0)
        place.holds(2)
        status, answer = client.call("/v1/score", {"rows": ROWS[:2]})
        assert (status, "the queue holds 2 of at most 3 rows" in answer["error"]) == (429, True)
        place.__exit__(None, None, None)
        assert client.call("/v1/score", {"rows": ROWS[:2]})[0] == 200


def test_a_million_candidates_are_refused(client: Client) -> None:
    body = b'{"context": {}, "candidates": [' + b",".join([b"{}"] * 1_000_000) + b"]}"
    assert client.call("/v1/rank", raw=body)[0] == 413


def test_scores_that_take_too_long_are_answered_by_503(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(bundle, limits=Limits(seconds=0.05)) as client:
        service = client.server.config.app.service  # type: ignore[union-attr]
        gate = threading.Event()
        score = service.store.current.score
        monkeypatch.setattr(service.store.current, "score", lambda batch: (gate.wait(5), score(batch))[1])
        status, answer = client.call("/v1/score", {"rows": ROWS})
        assert (status, "took longer than 0.05 s" in answer["error"]) == (503, True)
        gate.set()


def test_a_body_that_does_not_arrive_is_not_waited_for(bundle: Path) -> None:
    head = b"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{"
    with running(bundle, limits=Limits(seconds=0.5, queue_requests=1)) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as unfinished:
            unfinished.sendall(head)
            while client.call("/v1/score", {"rows": ROWS})[0] != 429:
                time.sleep(0.01)
            answer = b"".join(iter(partial(unfinished.recv, 4096), b""))  # to the end of the connection
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"a body must arrive within 0.5 s, but some of it is missing" in answer
        assert client.call("/v1/score", {"rows": ROWS})[0] == 200


def test_stopping_finishes_what_is_running(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, began = threading.Event(), threading.Event()
    with running(bundle) as client, ThreadPoolExecutor(1) as pool:
        model = client.server.config.app.service.store.current  # type: ignore[union-attr]
        score = model.score

        def slow(batch: Batch) -> object:
            began.set()
            gate.wait(5)
            return score(batch)

        monkeypatch.setattr(model, "score", slow)
        answer = pool.submit(client.score, ROWS)
        assert began.wait(5)
        client.server.should_exit = True
        gate.set()
        assert answer.result()["probabilities"] == expected(bundle, ROWS)


def test_a_token_guards_all_but_health_and_pages_that_hold_nothing(bundle: Path) -> None:
    with running(bundle, token="secret") as client:
        for path in ("/healthz", "/readyz", "/", "/docs", "/session.js"):
            status, told = client.call(path)
            assert (status, "price" in str(told)) == (200, False), path
        for path in ("/v1/model", "/v1/fields", "/openapi.json", "/metrics", "/other"):
            assert client.call(path)[0] == 401, path
        for path in ("/v1/score", "/v1/rank", "/v1/explain"):
            assert client.call(path, {"rows": ROWS})[0] == 401, path
        assert client.call("/v1/model", headers={"Authorization": "Bearer wrong"})[0] == 401
        assert client.call("/v1/model", headers={"Authorization": "Bearer s\xe9cret"})[0] == 401
        assert client.call("/v1/model", headers={"Authorization": "Bearer secret"})[0] == 200


def test_a_new_bundle_is_verified_and_swapped_in_and_a_bad_one_is_refused(bundle: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(bundle, tmp_path / "model.rank"))
    recipe = with_overrides(tiny_recipe(tmp_path), {"training.seed": 9, "training.learning_rate": 0.5})
    train(recipe, folder=tmp_path / "other")
    bundle_run(tmp_path / "other", tmp_path / "new.rank", options=QUICK)
    before, after = expected(place, ROWS), expected(tmp_path / "new.rank", ROWS)
    assert before != after
    with running(place) as client:
        held = client.server.config.app.service.store  # type: ignore[union-attr]
        (tmp_path / "bad.rank").write_bytes((tmp_path / "new.rank").read_bytes()[:-50])
        (tmp_path / "bad.rank").replace(place)
        assert not held.refresh()
        assert client.score(ROWS)["probabilities"] == before
        assert client.call("/readyz")[1] == {"status": "ready", "new_bundle_refused": True}
        assert "must be a whole bundle" in client.call("/v1/model")[1]["problem"]
        old = weakref.ref(held.current)
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(client.score, ROWS) for _ in range(40)]
            (tmp_path / "new.rank").replace(place)
            assert held.refresh()
            answers += [pool.submit(client.score, ROWS) for _ in range(10)]
            found = [answer.result()["probabilities"] for answer in answers]
        for each in found:
            nearest = min((before, after), key=lambda scores: np.abs(np.subtract(scores, each)).max())
            np.testing.assert_allclose(each, nearest, atol=1e-6)
        np.testing.assert_allclose(found[-1], after, atol=1e-6)
        assert client.call("/readyz")[1] == {"status": "ready", "new_bundle_refused": False}
        gc.collect()
        assert old() is None, "no request uses it any more, so that its threads and its folder are gone"
        _, told = client.call("/metrics")
        assert 'rankelastor_bundles_total{what="taken"} 1' in told


def test_a_mistake_of_the_program_is_answered_and_logged_without_what_was_asked(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(batch: Batch) -> object:
        raise RuntimeError("very-private")

    with running(bundle) as client:
        monkeypatch.setattr(client.server.config.app.service.store.current, "score", fails)  # type: ignore[union-attr]
        status, answer = client.call("/v1/score", {"rows": ROWS})
        assert (status, answer) == (500, {"error": "the service made a mistake; its log says where"})
    assert "a request to /v1/score failed with RuntimeError" in caplog.text
    assert "very-private" not in caplog.text.replace('raise RuntimeError("very-private")', "")


def test_whatever_a_new_bundle_does_the_service_goes_on_and_stops_in_order(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copy(bundle, tmp_path / "model.rank"))
    with running(place, watch=True, token="secret") as client:
        service = client.server.config.app.service  # type: ignore[union-attr]
        with monkeypatch.context() as patched:
            patched.setattr(store, "load_verified", Mock(side_effect=IndexError("list index out of range")))
            place.touch()
            while not client.call("/readyz")[1]["new_bundle_refused"]:
                time.sleep(0.05)
        headers = {"Authorization": "Bearer secret"}
        assert client.call("/v1/model", headers=headers)[1]["problem"] == "IndexError: list index out of range"
        place.touch()
        while client.call("/readyz")[1]["new_bundle_refused"]:
            time.sleep(0.05)
    with pytest.raises(RuntimeError, match="shutdown"):
        service.batcher._thread.submit(print)


def test_what_was_verified_is_what_serves(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, scores = Path(shutil.copy(bundle, tmp_path / "model.rank")), score_rows

    def replaced_meanwhile(run: LoadedRun, rows: Path) -> ExampleScores:
        (tmp_path / "bad").write_bytes(b"PK and no more")
        (tmp_path / "bad").replace(place)
        return scores(run, rows)

    monkeypatch.setattr(store, "score_rows", replaced_meanwhile)
    found = store.ModelStore(place, Telemetry())
    (scored,) = found.current.score_together([Asked(ROWS)])
    assert isinstance(scored, Scored)
    np.testing.assert_array_equal(scored.probability[:, 0], expected(bundle, ROWS))
    assert not found.refresh()
    assert "must be a whole bundle" in str(found.problem)


def test_nothing_of_a_request_is_logged(
    bundle: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with running(bundle) as client:
        client.score([{"site": "very-private", "device": "x", "price": 1}])
        client.call("/v1/score", {"rows": [{"site": "very-private"}]})
        client.call("/v1/score?very-private", raw=b'{"rows": [{"site": "very-private", "price": "very-private"}]}')
        client.call("/very-private")
        told = caplog.text + "".join(capfd.readouterr()) + json.dumps(client.call("/metrics")[1])
    assert "private" not in told


def test_names_that_others_could_point_here_are_refused_where_there_is_no_token(bundle: Path) -> None:
    with running(bundle, only_local=True) as client:
        for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
            for path in ("/v1/model", "/v1/fields", "/openapi.json", "/"):
                status, answer = client.call(path, headers={"Host": host})
                assert (status, "answers requests to localhost alone" in answer["error"]) == (421, True)
            assert client.call("/healthz", headers={"Host": host})[0] == 200
        for host in ("localhost", "127.0.0.1:1", "[::1]:8000", "model.localhost:8000"):
            assert client.call("/v1/model", headers={"Host": host})[0] == 200, host
    with running(bundle, only_local=True, token="secret") as client:
        headers = {"Host": "ranker.example", "Authorization": "Bearer secret"}
        assert client.call("/v1/model", headers=headers)[0] == 200
