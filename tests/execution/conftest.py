"""Shared by tests of execution: kernels switched off, kernels counted, shapes unchecked, threads as they were."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest
import torch

from rankelastor.native import calling, library
from rankelastor.native.arguments import KernelArguments, arguments_of


@pytest.fixture
def needs_kernels() -> None:
    """Skip where there is no C compiler to build the kernels."""
    if library.kernels() is None:
        pytest.skip("needs a C compiler")


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute as where the kernels cannot be built, or RANKELASTOR_KERNELS=off."""
    monkeypatch.setattr(library, "_loaded", lambda: None)


@pytest.fixture(params=["kernels", "no kernels"])
def _with_and_without_kernels(request: pytest.FixtureRequest) -> None:
    """Run a test twice, with the kernels and without."""
    request.getfixturevalue("needs_kernels" if request.param == "kernels" else "without_kernels")


@pytest.fixture
def called_kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels called since the list was last cleared, but for the one that draws bytes of masks."""
    names: list[str] = []

    def noted(kernel: str) -> KernelArguments:
        if kernel != "draw_words":
            names.append(kernel)
        return arguments_of(kernel)

    monkeypatch.setattr(calling, "arguments_of", noted)
    return names


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Do without the checks of annotated shapes that tests run with, as users do."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def _threads_as_they_were() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
