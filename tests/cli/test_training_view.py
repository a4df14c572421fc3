import torch

from rankelastor.cli.training_view import TrainingView
from rankelastor.schema import Batch
from rankelastor.training.observers import Evaluation, Step


class Recorded:
    """A bar that keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        self.calls.append(("begin", f"{stage} {total} {unit}"))

    def advance(self, amount: int, **_: float) -> None:
        self.calls.append(("advance", amount))

    def end(self) -> None:
        self.calls.append(("end", None))

    def say(self, line: str) -> None:
        self.calls.append(("say", line.partition("  ")[0]))


def test_an_evaluation_within_an_epoch_ends_its_stage_and_the_next_step_begins_it_where_it_was() -> None:
    bar = Recorded()
    view = TrainingView(bar)  # type: ignore[arg-type]
    view._num_epochs, view._num_examples = 3, 10
    batch = Batch(categorical=torch.zeros(4, 1, dtype=torch.int32), numeric=torch.zeros(4, 0), labels=None, group=None)
    view.on_epoch_start(1)
    view.on_step(Step(epoch=1, index=1, batch=batch, loss=torch.tensor(0.5)))
    view.on_evaluation(Evaluation(1, 1, 1e-3, 0.5, {}, improved=True, seconds=1.0, epochs_done=0.4))
    view._last_refresh = 0.0
    view.on_step(Step(epoch=1, index=2, batch=batch, loss=torch.tensor(0.5)))
    assert bar.calls == [
        ("begin", "epoch 1/3 10 examples"),
        ("advance", 4),
        ("end", None),
        ("say", "epoch 0.4/3"),
        ("begin", "epoch 1/3 10 examples"),
        ("advance", 8),
    ]
