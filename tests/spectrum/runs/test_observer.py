from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.errors import RunError, SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema
from rankelastor.spectrum.measures import MEASURES, stable_rank
from rankelastor.spectrum.runs import tensorboard
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.spectrum.runs.training_samples import SAMPLES_FILE, read_samples
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import TrainedRun, train


def train_run(recipe: Recipe, folder: Path, **changes: Any) -> TrainedRun:
    settings = SpectrumSettings(**{"every_steps": 2, "examples": 2} | changes)
    return train(recipe, folder=folder, observers=[SpectrumObserver(settings, folder)])


def test_a_sampled_run_has_the_weights_of_one_that_is_not(recipe: Recipe, tmp_path: Path) -> None:
    plain = train(recipe, folder=tmp_path / "plain")
    sampled = train_run(recipe, tmp_path / "sampled", every_steps=1, tensorboard=True)
    assert recipe.model.model_dump()["ffn"]["dropout"] > 0  # random numbers are drawn in every step
    for (name, one), other in zip(plain.ranker.state_dict().items(), sampled.ranker.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert plain.result.valid == sampled.result.valid


def test_the_first_step_and_every_nth_are_sampled(recipe: Recipe, tmp_path: Path) -> None:
    train_run(recipe, tmp_path / "run")  # 3 epochs of 3 steps
    assert [(sample.epoch, sample.step) for sample in read_samples(tmp_path / "run")] == [
        (1, 1),
        (1, 2),
        (2, 4),
        (2, 6),
        (3, 8),
    ]


def test_a_sample_is_of_the_training_batch_and_not_of_the_valid_split(recipe: Recipe, tmp_path: Path) -> None:
    seen: list[Tensor] = []

    class Spy(SilentObserver):
        def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
            del num_epochs, num_examples
            ranker.points["tokens"].register_forward_hook(lambda _module, _inputs, tokens: seen.append(tokens))

    folder = tmp_path / "run"
    observer = SpectrumObserver(SpectrumSettings(every_steps=4, examples=100), folder)
    train(recipe, folder=folder, observers=[Spy(), observer])
    fourth_step = [tokens for tokens in seen if tokens.requires_grad][3]  # after a pass over the valid split
    sample = {sample.step: sample for sample in read_samples(folder)}[4]
    assert sample.num_examples == len(fourth_step)
    expected = float(stable_rank(fourth_step.detach()).mean())
    assert sample.stages["tokens"].means["stable_rank"] == pytest.approx(expected, rel=1e-5)


def test_no_more_examples_than_the_setting_are_taken(recipe: Recipe, tmp_path: Path) -> None:
    train_run(recipe, tmp_path / "run", examples=2)
    assert {sample.num_examples for sample in read_samples(tmp_path / "run")} == {2}


def test_by_default_each_of_a_few_steps_is_sampled(recipe: Recipe, tmp_path: Path) -> None:
    train_run(recipe, tmp_path / "run", every_steps=SpectrumSettings().every_steps)  # 3 epochs of 3 steps
    assert [sample.step for sample in read_samples(tmp_path / "run")] == list(range(1, 10))


def test_null_switches_sampling_off(recipe: Recipe, tmp_path: Path) -> None:
    run = train_run(recipe, tmp_path / "run", every_steps=None)
    assert not (run.folder / "spectrum").exists()


def test_the_model_is_left_without_hooks(recipe: Recipe, tmp_path: Path) -> None:
    run = train_run(recipe, tmp_path / "run", every_steps=1)
    assert all(not module._forward_hooks for module in run.ranker.modules())


def test_a_stage_below_the_share_is_warned_of_once(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        train_run(recipe, tmp_path / "run", every_steps=1, warn_share=1.0)
    warnings = [text for record in caplog.records if (text := record.getMessage()).startswith("spectrum: ")]
    assert len(warnings) == 4  # fields, tokens, mixing, FFN; nine steps
    assert warnings[0].startswith("spectrum: at step 1 the stable rank after fields is ")
    assert "of 3 possible" in warnings[0]
    assert "below spectrum.warn_share=1" in warnings[0]


def test_a_share_of_zero_never_warns(recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train_run(recipe, tmp_path / "run", warn_share=0.0)
    assert not [record for record in caplog.records if record.name.startswith("rankelastor.spectrum")]


def test_nan_activations_are_counted_left_out_and_warned_of_once(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ranker = build_ranker(recipe.model, FeatureSchema(tuple(CategoricalFeature(name, 5) for name in ("a", "b", "c"))))
    outputs = torch.randn(2, 3, 6)
    ranker.points["tokens"].register_forward_hook(lambda *_: torch.cat([outputs, torch.full((1, 3, 6), torch.nan)]))
    observer = SpectrumObserver(SpectrumSettings(every_steps=1, warn_share=0.0), tmp_path)
    observer.on_start(ranker, num_epochs=1, num_examples=3)
    batch = Batch(torch.ones(3, 3, dtype=torch.int32), torch.zeros(3, 0), labels=None, group=None)
    for index in (1, 2):
        observer.on_epoch_start(1)
        ranker.train()(batch)
        observer.on_step(Step(epoch=1, index=index, batch=batch, loss=torch.zeros(())))
    stage = read_samples(tmp_path)[0].stages["tokens"]
    assert stage.num_not_finite == 1
    assert stage.means["stable_rank"] == pytest.approx(float(stable_rank(outputs).mean()), rel=1e-5)
    about_tokens = [record.getMessage() for record in caplog.records if record.getMessage().endswith("after tokens")]
    assert about_tokens == [
        "spectrum: at step 1, 1 of 3 sampled examples have NaN or infinite activations after tokens"
    ]


def test_scalars_go_to_tensorboard_where_that_is_on(recipe: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `track` is not installed")
    run = train_run(recipe, tmp_path / "run", tensorboard=True)
    assert list((run.folder / "tensorboard").glob("events.out.tfevents.*"))


def test_tensorboard_that_is_not_installed_is_said_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"tensorboard must be installed for .*track"):
        SpectrumObserver(SpectrumSettings(tensorboard=True), tmp_path)


def test_a_half_written_last_line_is_not_read(recipe: Recipe, tmp_path: Path) -> None:
    run = train_run(recipe, tmp_path / "run")
    path = run.folder / SAMPLES_FILE
    path.write_text(path.read_text() + '{"epoch": 3, "st')
    assert len(read_samples(run.folder)) == 5


def test_a_damaged_line_is_named(recipe: Recipe, tmp_path: Path) -> None:
    run = train_run(recipe, tmp_path / "run")
    path = run.folder / SAMPLES_FILE
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(RunError, match=r"samples\.jsonl line 1 must be a sample"):
        read_samples(run.folder)


def test_a_run_that_was_not_sampled_has_no_samples(tmp_path: Path) -> None:
    assert read_samples(tmp_path) == ()


def test_the_settings_name_the_measures_there_are() -> None:
    assert SpectrumSettings().measures == tuple(MEASURES)


@pytest.mark.parametrize("given", [0, "often"])
def test_a_wrong_number_of_steps_is_refused_with_what_is_allowed(recipe_values: dict[str, Any], given: object) -> None:
    with pytest.raises(SettingsError, match=r"spectrum\.every_steps must be") as refused:
        recipe_from_values(recipe_values | {"spectrum": {"every_steps": given}})
    assert "spectrum.every_steps must be " in str(refused.value)
    assert repr(given) in str(refused.value)


def test_a_recipe_names_an_unknown_measure(recipe_values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"spectrum\.measures"):
        recipe_from_values(recipe_values | {"spectrum": {"measures": ["effective_rank"]}})
