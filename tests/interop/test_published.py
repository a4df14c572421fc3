"""Tests that our modules reproduce the outputs of the published code (tests/parity) to 1e-9 in float64."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.observe_outputs import observe_outputs
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.errors import SettingsError
from rankelastor.interop.published import network_from_state, translate_state
from rankelastor.models.mixer import MixerNetwork
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE
from rankelastor.nn.mixing.rotation import EigenvalueRotation
from rankelastor.spectrum.measures import entropy_effective_rank, stable_rank

PARITY = Path(__file__).parents[1] / "parity"
NAMES = sorted(path.stem for path in PARITY.glob("*.npz"))
TOLERANCE = 1e-9


class Case:
    """One pair of files, and our network after a forward and a backward pass over its input."""

    def __init__(self, name: str) -> None:
        self.settings: dict[str, Any] = json.loads((PARITY / f"{name}.json").read_text())
        self.arrays = dict(np.load(PARITY / f"{name}.npz"))
        self.state = self.group("param.") | self.group("buffer.")
        self.network = network_from_state(self.state, self.settings)
        self.activations: dict[str, Tensor] = {}
        self.embeddings = torch.from_numpy(self.arrays["in.embeddings"]).requires_grad_()
        points = {name: module for name, module in self.network.points.items() if name != RAW_STAGE}
        with observe_outputs(points, self.activations.__setitem__):
            self.logits = self.network(Embedded(self.embeddings)).squeeze(1)  # published logits have no task axis
        self.loss = binary_cross_entropy_with_logits(self.logits, torch.from_numpy(self.arrays["in.labels"]))
        self.loss.backward()

    def group(self, prefix: str) -> dict[str, np.ndarray]:
        return {key.removeprefix(prefix): array for key, array in self.arrays.items() if key.startswith(prefix)}


@pytest.fixture(scope="module", params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def assert_match(actual: Tensor, expected: np.ndarray) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual.detach().numpy() - expected).max() <= TOLERANCE


def test_all_fourteen_pairs_are_there() -> None:
    assert len(NAMES) == 14


def test_logits_and_loss_match(case: Case) -> None:
    assert_match(case.logits, case.arrays["out.logits"])
    assert_match(case.loss, case.arrays["out.loss"])


def test_activations_match_at_every_point(case: Case) -> None:
    expected = case.group("act.")
    assert case.activations.keys() == expected.keys()
    for point, array in expected.items():
        assert_match(case.activations[point], array)


def test_input_gradients_match(case: Case) -> None:
    assert case.embeddings.grad is not None
    assert_match(case.embeddings.grad, case.arrays["out.grad_embeddings"])


def test_parameter_gradients_match(case: Case) -> None:
    expected = translate_state(case.group("grad."), case.settings)
    gradients = {name: parameter.grad for name, parameter in case.network.named_parameters()}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert gradient is not None, name
        assert_match(gradient, expected[name].numpy())


def test_both_ranks_match_at_every_point(case: Case) -> None:
    for point, activation in case.activations.items():
        assert_match(entropy_effective_rank(activation), case.arrays[f"entropy_erank.{point}"])
        assert_match(stable_rank(activation), case.arrays[f"stable_rank.{point}"])


def test_the_rotation_follows_the_tokens_while_training() -> None:
    """Moments after each training batch match; eigenvectors have no sign of their own, so layers are fed one by one."""
    case = Case("eigenvalue_rotation")
    network = network_from_state(case.group("param."), case.settings | {"use_opq": False})
    first = EigenvalueRotation(num_tokens=4, token_dim=8, momentum=0.1).double()
    for step in range(3):
        fields = torch.from_numpy(case.arrays[f"in.train{step}"])
        with torch.no_grad():
            first(network.tokenizer(fields))
        after = f"after{step}.backbone.0.token_mixing"
        assert_match(first.mean, case.arrays[f"{after}.running_mean"])
        assert_match(first.covariance, case.arrays[f"{after}.running_cov"])
    expected = torch.from_numpy(case.arrays["buffer.backbone.0.token_mixing.opq_R"])
    signs = (first.rotation * expected).sum(dim=0).sign()
    torch.testing.assert_close(first.rotation * signs, expected, atol=1e-7, rtol=0)


def test_a_list_of_mixings_must_have_one_for_each_block() -> None:
    case = Case("hybrid_mixing")
    with pytest.raises(SettingsError, match=r"one mixing for each of 3 blocks, but \[2, 999\] was given"):
        network_from_state(case.state, case.settings | {"published_mixing_type": [2, 999]})


def first_case() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    case = Case("full_glu_joint_tokenizer")
    return case.state, case.settings


def test_a_missing_parameter_is_named() -> None:
    state, settings = first_case()
    del state["pred.3.bias"]
    with pytest.raises(SettingsError, match=r"must hold pred\.3\.bias"):
        network_from_state(state, settings)


def test_a_parameter_left_over_is_named() -> None:
    state, settings = first_case()
    with pytest.raises(SettingsError, match=r"do not have.*backbone\.9\.extra"):
        network_from_state(state | {"backbone.9.extra": np.zeros(1)}, settings)


def test_a_parameter_of_another_shape_is_an_error() -> None:
    state, settings = first_case()
    with pytest.raises(SettingsError, match=r"head\.out\.bias"):
        network_from_state(state | {"pred.3.bias": np.zeros(3)}, settings)


def test_an_unknown_mixing_type_lists_the_known_ones() -> None:
    state, settings = first_case()
    with pytest.raises(SettingsError, match=r"published_mixing_type must be one of \[1, 2, 999, 8881, 8882\].*7"):
        network_from_state(state, settings | {"published_mixing_type": 7})


def test_settings_that_lack_or_break_something_are_named() -> None:
    state, settings = first_case()
    with pytest.raises(SettingsError, match="must hold parameters, but it is empty"):
        network_from_state({}, settings)
    with pytest.raises(SettingsError, match="published settings must hold 'head'"):
        network_from_state(state, {key: value for key, value in settings.items() if key != "head"})
    with pytest.raises(SettingsError, match=r"published settings: num_blocks must .* but -1 was given"):
        network_from_state(state, settings | {"num_blocks": -1})


def test_the_network_is_in_evaluation_mode() -> None:
    network = network_from_state(*first_case())
    assert isinstance(network, MixerNetwork)
    assert not network.training
