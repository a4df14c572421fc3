import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from tests.models.test_build import SCHEMA, settings
from tests.training.steppers import stepper_of

from rankelastor.models.build import build_ranker
from rankelastor.models.catalogue import ModelSettings
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.profiling.stage_clock import StageClock, StagePass
from rankelastor.schema import Batch

CPU = torch.device("cpu")
MIXER_STAGES = ("tokenizer", "mixing", "block norms", "FFN", "head")
MLP = {"kind": "mlp", "hidden_dims": [5], "embedding_dim": 4}
DCN_V2 = {"kind": "dcn_v2", "structure": "parallel", "hidden_dims": [5], "embedding_dim": 4}


class _Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Work(torch.autograd.Function):
    """Identity that takes one second of the fake clock in forward and two in backward."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, clock: _Clock) -> torch.Tensor:
        ctx.clock = clock
        clock.now += 1
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor, None]:
        ctx.clock.now += 2
        return gradients[0], None


def examples() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        categorical=torch.randint(5, (16, 2), generator=generator),
        numeric=torch.randn(16, 2, generator=generator),
        labels=torch.randint(2, (16, 1), generator=generator).float(),
        group=None,
    )


def foreign(values: dict[str, Any]) -> RankerSettings:
    adapter: TypeAdapter[RankerSettings] = TypeAdapter(ModelSettings)
    return adapter.validate_python(values)


def time_step(ranker: Ranker) -> dict[StagePass, float]:
    clock = StageClock(CPU)
    stepper = stepper_of(ranker.train(), on_phase=clock.on_phase)
    stepper.step(examples())  # warm-up
    with clock.attach(ranker):
        stepper.step(examples())
    return clock.seconds()


def slow_down(forward: Callable[[Any], torch.Tensor], clock: _Clock) -> Callable[[Any], torch.Tensor]:
    def slow(given: Any) -> torch.Tensor:
        if isinstance(given, Embedded):
            return forward(Embedded(_Work.apply(given.fields, clock)))  # type: ignore[no-untyped-call]
        return forward(_Work.apply(given, clock))  # type: ignore[no-untyped-call]

    return slow


CASES = [
    *[({"num_blocks": 2}, stage) for stage in MIXER_STAGES],
    (MLP, "network"),
    (DCN_V2, "cross"),
    (DCN_V2, "deep"),
]


@pytest.mark.parametrize(("changes", "stage"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_work_inside_a_stage_is_charged_to_it_alone_forward_and_backward(
    changes: dict[str, Any], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    ranker = build_ranker(foreign(changes) if "kind" in changes else settings(**changes), SCHEMA)
    slowed = ranker.stages[stage]
    for module in slowed:
        monkeypatch.setattr(module, "forward", slow_down(module.forward, clock))
    seconds = time_step(ranker)
    worked = {key: value for key, value in seconds.items() if value}
    assert worked == {(stage, "forward"): len(slowed), (stage, "backward"): 2 * len(slowed)}


def test_blocks_count_together_and_every_stage_is_seen() -> None:
    seconds = time_step(build_ranker(settings(num_blocks=3), SCHEMA))
    expected: set[tuple[str, str]] = {
        (stage, way) for stage in ("embedding", *MIXER_STAGES, "loss") for way in ("forward", "backward")
    }
    assert expected | {("data", "forward"), ("optimiser", "forward"), ("other", "forward")} <= set(seconds)


def test_identity_mixing_has_no_backward_of_its_own() -> None:
    seconds = time_step(build_ranker(settings(mixing={"kind": "identity"}), SCHEMA))
    assert ("mixing", "backward") not in seconds
    assert ("tokenizer", "backward") in seconds


def test_watching_leaves_neither_hooks_nor_other_weights_behind() -> None:
    rankers = []
    for watch in (False, True):
        torch.manual_seed(0)
        ranker = build_ranker(settings(), SCHEMA)
        clock = StageClock(CPU)
        stepper = stepper_of(ranker, on_phase=clock.on_phase)
        if watch:
            with clock.attach(ranker):
                stepper.step(examples())
            assert clock.seconds()
        else:
            stepper.step(examples())
        rankers.append(ranker)
    for name, tensor in rankers[0].state_dict().items():
        assert torch.equal(tensor, rankers[1].state_dict()[name]), name
    hooks = [hook for module in rankers[1].modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)]
    assert hooks == []
