"""Every kernel's struct is read from its C source, and values are packed as C reads them."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from rankelastor.native import arguments
from rankelastor.native.arguments import arguments_of

SOURCES = sorted(Path(arguments.__file__).parent.glob("*.c"))
KERNELS = sorted(
    name
    for source in SOURCES
    for name in re.findall(r"^void (\w+)\(const void \*arguments, int64_t first", source.read_text(), re.MULTILINE)
)
VALUES: dict[str, Any] = {"pointer": torch.ones(1), "int64": 3, "double": 0.5}


def values_for(kernel: str) -> dict[str, Any]:
    wanted = arguments_of(kernel)
    return {name: VALUES[kind] for name, kind in zip(wanted.names, wanted.kinds, strict=True)}


def test_there_are_kernels_to_look_at() -> None:
    assert {"gate_forward", "gate_backward", "rms_norm_forward", "step_rows"} <= set(KERNELS)
    assert len(KERNELS) == len(set(KERNELS))


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernels_struct_is_read(kernel: str) -> None:
    wanted = arguments_of(kernel)
    assert wanted.names
    assert len(set(wanted.names)) == len(wanted.names)
    assert all(name.isidentifier() for name in wanted.names)
    assert wanted.layout.size == 8 * len(wanted.names)


@pytest.mark.parametrize("kernel", KERNELS)
def test_values_are_packed_in_the_order_of_the_struct_whatever_order_they_come_in(kernel: str) -> None:
    values = values_for(kernel)
    packed = arguments_of(kernel).pack(values)
    assert packed == arguments_of(kernel).pack(dict(reversed(values.items())))
    for place, kind in enumerate(arguments_of(kernel).kinds):
        (number,) = struct.unpack_from("d" if kind == "double" else "q", packed, 8 * place)
        assert number == {"pointer": VALUES["pointer"].data_ptr(), "int64": 3, "double": 0.5}[kind]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_missing_or_unknown_argument_is_an_assertion(kernel: str) -> None:
    values = values_for(kernel)
    first = next(iter(values))
    with pytest.raises(AssertionError, match=first):
        arguments_of(kernel).pack({name: value for name, value in values.items() if name != first})
    with pytest.raises(AssertionError, match="surplus"):
        arguments_of(kernel).pack(values | {"surplus": 1})
    renamed = {("misspelt" if name == first else name): value for name, value in values.items()}
    with pytest.raises(AssertionError, match="misspelt"):
        arguments_of(kernel).pack(renamed)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("wrong", [torch.ones(2), 3, 0.5, "text", None], ids=lambda wrong: type(wrong).__name__)
def test_a_value_of_another_kind_is_an_assertion(kernel: str, wrong: object) -> None:
    values, wanted = values_for(kernel), arguments_of(kernel)
    fits: dict[str, tuple[type, ...]] = {
        "pointer": (torch.Tensor, type(None)),
        "int64": (int,),
        "double": (float, int),
    }
    for name, kind in zip(wanted.names, wanted.kinds, strict=True):
        if not isinstance(wrong, fits[kind]):
            with pytest.raises(AssertionError, match=name):
                wanted.pack(values | {name: wrong})


def test_none_is_a_null_pointer() -> None:
    wanted = arguments_of("gate_forward")
    packed = wanted.pack(values_for("gate_forward") | {"gain": None})
    assert struct.unpack_from("q", packed, 8 * wanted.names.index("gain")) == (0,)


def test_a_struct_inside_a_struct_stands_in_its_place() -> None:
    assert arguments_of("step_rows").names[:3] == ("table", "first", "second")
    assert "change" in arguments_of("step_rows").names
    assert "constants" in arguments_of("step_rows").names


def test_a_kernel_without_a_struct_is_an_assertion() -> None:
    with pytest.raises((AssertionError, KeyError), match="NoSuchKernel"):
        arguments_of("no_such_kernel")
