import subprocess
import sys

import pytest
import torch
from tests.models.test_cost import SCHEMA, SETTINGS
from torch.utils.flop_counter import FlopCounterMode

from rankelastor.models import cost
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import blank_batch, cost_of, unfilled_ranker
from rankelastor.models.counting_modes import CountedFlops, WithoutInitialValues


def test_flops_are_those_that_pytorch_counts() -> None:
    ranker = unfilled_ranker(SETTINGS, SCHEMA)
    with CountedFlops() as counted, FlopCounterMode(display=False) as reference:
        torch.autograd.backward(ranker(blank_batch(ranker, SCHEMA)).sum())
    assert counted.total == reference.get_total_flops() > 0


def test_a_ranker_has_the_same_cost_in_memory_and_on_the_meta_device(monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = cost_of(SETTINGS, SCHEMA)
    monkeypatch.setattr(cost, "_FEW_PARAMETERS", 0)
    assert unfilled_ranker(SETTINGS, SCHEMA).embedding.table.is_meta
    assert cost_of(SETTINGS, SCHEMA) == in_memory


def test_no_initial_values_are_drawn() -> None:
    before = torch.get_rng_state()
    with WithoutInitialValues():
        build_ranker(SETTINGS, SCHEMA)
    assert torch.equal(torch.get_rng_state(), before)


def test_counting_the_cost_of_a_small_ranker_imports_no_compiler() -> None:
    program = (
        "import sys; from tests.models.test_cost import SCHEMA, SETTINGS; from rankelastor.models.cost import cost_of; "
        "cost_of(SETTINGS, SCHEMA); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
