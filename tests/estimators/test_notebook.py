"""Tests that notebooks see one line that is replaced."""

from rankelastor.estimators.notebook import NotebookProgress, in_notebook
from rankelastor.training.observers import Evaluation


def test_a_process_that_is_no_notebook_is_none() -> None:
    assert not in_notebook()


def test_progress_is_drawn_a_few_times_a_second_and_texts_are_escaped() -> None:
    shown: list[str] = []
    times = iter(number / 10 for number in range(1000))
    progress = NotebookProgress(shown.append, clock=lambda: next(times))
    progress.begin("reading <log>", total=100, unit="rows")
    for _ in range(100):
        progress.advance(1, loss=0.5)
    assert 10 < len(shown) < 60
    assert 'max="100"' in shown[-1]
    assert "reading &lt;log&gt;" in shown[-1]


def test_an_evaluation_is_shown_at_once_and_stays() -> None:
    shown: list[str] = []
    progress = NotebookProgress(shown.append, clock=lambda: 0.0)
    progress.on_evaluation(
        Evaluation(
            epoch=1, step=4, learning_rate=0.1, train_loss=0.5, metrics={"auc": 0.75}, improved=True, seconds=1.0
        )
    )
    progress.end()
    progress.on_end()
    assert "valid auc 0.750000" in shown[-1]
    assert "<progress" not in shown[-1]
