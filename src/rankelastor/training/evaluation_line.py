"""An evaluation in one line, as people read it on a terminal and in ``train.log``."""

from __future__ import annotations

from rankelastor.progress import format_duration
from rankelastor.training.observers import Evaluation

_SHOWN = ("auc", "gauc", "logloss")


def evaluation_line(evaluation: Evaluation, *, num_epochs: int, num_examples: int) -> str:
    """Write epoch, step, loss, metrics, learning rate, examples per second, time so far and time left.

    Time left is that of the epochs up to the last, which early stopping may leave out; the examples per second are
    those since training began, evaluations included.

    Args:
        evaluation: the evaluation.
        num_epochs: largest number of epochs.
        num_examples: examples per epoch.

    Example:
        >>> found = Evaluation(
        ...     epoch=2,
        ...     step=40,
        ...     learning_rate=1e-3,
        ...     train_loss=0.5,
        ...     metrics={"auc": 0.75, "logloss": 0.4},
        ...     improved=True,
        ...     seconds=30.0,
        ... )
        >>> print(evaluation_line(found, num_epochs=10, num_examples=3000))  # doctest: +NORMALIZE_WHITESPACE
        epoch 2/10  step 40  train loss 0.500000  valid auc 0.750000  logloss 0.400000  lr 0.001  200 examples/s
        30.0 s  at most 2:00 left  best
    """
    seconds, done = evaluation.seconds, evaluation.progress
    metrics = [f"{name} {evaluation.metrics[name]:.6f}" for name in _SHOWN if name in evaluation.metrics]
    parts = [
        f"epoch {round(done, 2):g}/{num_epochs}",
        f"step {evaluation.step:,}",
        f"train loss {evaluation.train_loss:.6f}",
        *([f"valid {metrics[0]}", *metrics[1:]] if metrics else []),
        f"lr {evaluation.learning_rate:g}",
    ]
    if seconds > 0:
        parts.append(f"{done * num_examples / seconds:,.0f} examples/s")
    parts.append(format_duration(seconds))
    if done < num_epochs:
        parts.append(f"at most {format_duration(seconds / done * (num_epochs - done))} left")
    return "  ".join([*parts, *(["best"] if evaluation.improved else [])])
