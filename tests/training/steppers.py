"""Make steppers from training settings, for tests of several packages."""

from __future__ import annotations

from rankelastor.config.training import TrainingSettings
from rankelastor.execution.phases import PhaseListener, ignore_phase
from rankelastor.execution.slices import Loss
from rankelastor.models.ranker import Ranker
from rankelastor.training.step import Stepper


def training_settings(**values: object) -> TrainingSettings:
    """Make settings from short paths: ``training_settings(learning_rate=0.1)``."""
    return TrainingSettings.model_validate(values)


def stepper_of(
    ranker: Ranker,
    settings: TrainingSettings | None = None,
    *,
    on_phase: PhaseListener = ignore_phase,
    objective: Loss | None = None,
) -> Stepper:
    """Make the stepper as training does."""
    settings = settings or TrainingSettings()
    return Stepper(
        ranker,
        settings.optimiser,
        settings.execution,
        batch_size=settings.batch_size,
        objective=objective,
        on_phase=on_phase,
    )
