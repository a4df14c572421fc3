"""Record the operations of a computation once, and repeat them for other inputs without the Python between them.

A recording holds them in a list: calls of kernels with their addresses, operations of PyTorch that write to where they
wrote before, and draws of dropout masks. It computes the same operations on the same shapes, so that its results are
those of the computation bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from rankelastor.native.calling import hear_calls
from rankelastor.nn.dropout import NUM_BYTES, Mask, hear_draws

_UNREPEATABLE = (
    torch.Tag.nondeterministic_seeded,
    torch.Tag.dynamic_output_shape,
    torch.Tag.inplace_view,
)
_MASKS = (torch.bool, torch.uint8)
_TO_PYTHON = {
    getattr(Tensor, name)
    for name in ("item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "__complex__")
}
_WITHOUT_VALUES = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
_FILLED = {"zeros": 0, "zeros_like": 0, "new_zeros": 0, "ones": 1, "ones_like": 1, "new_ones": 1}
_FRESH, _LIKE = "new_", "_like"
"""How operations are called that take no values from the tensor they are given, such as ``new_zeros``: what they make
may be written to."""


class NotRecordableError(Exception):
    """An operation that a recording cannot repeat."""


@dataclass(frozen=True)
class Recording:
    """The operations of a computation.

    Attributes:
        inputs: where inputs are copied to.
        repeats: the operations in their order.
        outputs: where the results stand afterwards.
        alive: the memory that the operations use.
        num_bytes: bytes of what they write, and of the inputs.
    """

    inputs: Sequence[Tensor | None]
    repeats: Sequence[Callable[[], object]]
    outputs: Sequence[Tensor]
    alive: Sequence[object]
    num_bytes: int

    def repeat(self, inputs: Sequence[Tensor | None]) -> Sequence[Tensor]:
        """Compute the results for inputs of the same shapes; the next call overwrites them."""
        with torch.inference_mode():
            for own, given in zip(self.inputs, inputs, strict=True):
                if own is not None and given is not None:
                    own.copy_(given)
            for operation in self.repeats:
                operation()
        return self.outputs


def record(
    compute: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    *,
    fixed: Iterable[Tensor] = (),
    most_bytes: float = math.inf,
) -> Recording:
    """Compute something on copies of these inputs, and record its operations.

    Operations of the backward pass are recorded too, where ``compute`` runs it: on the CPU in the same thread.

    Args:
        compute: function of the inputs; it may draw dropout masks and change what it makes, but nothing else. A
            backward pass written in Python must not hand values to NumPy, which is not seen.
        inputs: tensors of one shape, None where there is none.
        fixed: tensors whose values never change. Operations that read nothing else are computed once.
        most_bytes: memory that the recording may take.

    Returns:
        The recording, whose outputs are the results for these inputs.

    Raises:
        NotRecordableError: values of tensors choose its operations, an operation is random or changes what the
            computation did not make, or more memory is needed. Nothing was changed then but for the streams that masks
            are drawn from.

    Example:
        >>> weight = torch.tensor([[2.0]])
        >>> recording = record(lambda x: [x @ weight + 1], [torch.tensor([[1.0]])])
        >>> recording.outputs[0].item(), recording.repeat([torch.tensor([[5.0]])])[0].item()
        (3.0, 11.0)
    """
    own = [None if each is None else each.clone() for each in inputs]
    recorder = _Recorder(fixed, own, most_bytes)
    with hear_calls(recorder.note_kernel), hear_draws(recorder.note_mask), _NoValues(recorder), recorder:
        outputs = compute(*own)
    return Recording(
        own, recorder.repeats, [each.detach() for each in outputs], list(recorder.alive.values()), recorder.num_bytes
    )


@dataclass
class _Recorder(TorchDispatchMode):
    """Collects what repeats the operations that run within its context.

    Attributes:
        fixed: tensors whose values never change.
        inputs: tensors whose values change from repetition to repetition.
        most_bytes: memory that inputs and results may take.
        num_bytes: memory that they take.
        repeats: what repeats each operation.
        alive: what the operations use, by the address of its memory.
        is_paused: whether operations run without being recorded.
    """

    fixed: Iterable[Tensor]
    inputs: Iterable[Tensor | None]
    most_bytes: float
    num_bytes: int = 0
    repeats: list[Callable[[], object]] = field(default_factory=list)
    alive: dict[int, object] = field(default_factory=dict)
    is_paused: bool = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler for this, which takes seconds: nothing is compiled here."""
        return False

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._fixed_memory = {_memory(each) for each in self.fixed}
        self._own_memory = {0}  # tensors without elements have none
        self._make(_tensors(list(self.inputs)))

    def is_fixed(self, values: object) -> bool:
        """Tell whether there are tensors among these values, all of them made of fixed ones alone."""
        given = _tensors(values)
        return bool(given) and all(_memory(each) in self._fixed_memory for each in given)

    def note_kernel(self, again: Callable[[], object], values: Iterable[object]) -> None:
        """Note the call of a kernel that reads and writes these values."""
        if self.is_paused:
            return
        self.repeats.append(again)
        self._keep(_tensors(list(values)))

    def note_mask(self, draw: Callable[[], Mask]) -> Mask:
        """Draw a mask in a form that a repetition can draw anew in place: 1 where kept, 0 where dropped."""
        with self._paused():
            mask = draw()
            if not 1 < mask.threshold < NUM_BYTES - 1:  # kernels do not look at noise that drops nothing or all
                raise NotRecordableError("a dropout rate is so near to 0 or 1 that a mask may drop nothing or all")
            kept = torch.empty_like(mask.noise)
            in_numpy = kept.numpy().view(bool)  # NumPy compares bytes several times as fast as PyTorch
            noise = mask.noise.numpy()
        np.greater_equal(noise, mask.threshold, out=in_numpy)

        def draw_again() -> None:
            again = draw()
            np.greater_equal(again.noise.numpy(), again.threshold, out=in_numpy)

        self.repeats.append(draw_again)
        self._make([kept])
        return Mask(kept, 1)

    @contextmanager
    def _paused(self) -> Iterator[None]:
        self.is_paused = True
        try:
            yield
        finally:
            self.is_paused = False

    def __torch_dispatch__(
        self, operation: OpOverload, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        named = dict(kwargs or {})
        if self.is_paused or operation is torch.ops.aten.detach_.default:  # which changes no values
            return operation(*args, **named)
        self._require_repeatable(operation, args, named)
        own_args, own_named = tree_map_only(Tensor, _without_graph, (args, named))
        result = operation(*args, **named)
        self._note(operation, own_args, own_named, result)
        return result

    def _require_repeatable(self, operation: OpOverload, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        places = [*_tensors(args)[1:], *_tensors(dict(named))]
        takes_places = operation is torch.ops.aten.index.Tensor and all(each.dtype not in _MASKS for each in places)
        is_unrepeatable = any(tag in operation.tags for tag in _UNREPEATABLE) and not takes_places
        reads_values = torch.Tag.data_dependent_output in operation.tags and not self.is_fixed((args, dict(named)))
        if is_unrepeatable or reads_values:
            raise NotRecordableError(f"{operation} is random, or values choose its shape or what follows")
        written = {_memory(each) for each in _written(operation, args, named)}
        if not written <= self._own_memory:
            raise NotRecordableError(f"{operation} changes what lies outside of the recording")
        if written & self._fixed_memory and not self.is_fixed((args, dict(named))):
            raise NotRecordableError(f"{operation} changes what was computed from parameters alone")

    def _note(self, operation: OpOverload, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
        given, is_fixed = _tensors((args, named)), self.is_fixed((args, named))
        results = [each.detach() if isinstance(each, Tensor) else each for each in _listed(result)]
        made = _tensors(results)
        if not made or not all(each is None or isinstance(each, Tensor) for each in results):
            if is_fixed:
                return
            raise NotRecordableError(f"{operation} gives a value to Python")
        name = operation._opname  # noqa: SLF001
        self._keep(given)
        if operation._schema.is_mutable:  # noqa: SLF001
            if not is_fixed:
                self.repeats.append(partial(operation, *args, **named))
            return
        read = {_memory(each) for each in given}
        if {_memory(each) for each in made} <= read:
            return  # a view, of the memory that is there
        self._make(each for each in made if _memory(each) not in read)
        if name in _WITHOUT_VALUES:
            return  # memory that something else is written to
        if name in _FILLED:
            self.repeats.append(partial(made[0].fill_, _FILLED[name]))
        elif is_fixed and not name.startswith(_FRESH) and not name.endswith(_LIKE):
            self._fixed_memory |= {_memory(each) for each in made}
        else:
            self.repeats.append(_writing_to(results, operation, args, named))

    def _make(self, tensors: Iterable[Tensor]) -> None:
        """Note memory that belongs to the recording."""
        for each in tensors:
            if _memory(each) not in self._own_memory:
                self._own_memory.add(_memory(each))
                self.num_bytes += each.untyped_storage().nbytes()
            self._keep([each])
        if self.num_bytes > self.most_bytes:
            raise NotRecordableError("it takes more memory than there is for recordings")

    def _keep(self, tensors: Iterable[Tensor]) -> None:
        """Keep memory from being freed, after which other values could lie at its address."""
        for each in tensors:
            self.alive[_memory(each)] = each.untyped_storage()


class _NoValues(TorchFunctionMode):
    """Refuses to hand values to Python, where they could choose operations and shapes, but for fixed ones."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, function: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        if function in _TO_PYTHON and not self._recorder.is_paused and not self._recorder.is_fixed(args):
            raise NotRecordableError(f"{function.__name__} gives values to Python")
        return function(*args, **(kwargs or {}))


def _tensors(values: object) -> list[Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, Tensor)]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _without_graph(tensor: Tensor) -> Tensor:
    """Give the same values without the graph that they have or will have, which would keep itself alive.

    Parameters are kept as they are: whether they learn chooses how a linear map is computed.
    """
    return tensor if tensor.is_leaf and tensor.requires_grad else tensor.detach()


def _listed(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def _written(operation: OpOverload, args: Sequence[Any], named: Mapping[str, Any]) -> list[Tensor]:
    """List the tensors that an operation writes to."""
    arguments = operation._schema.arguments  # noqa: SLF001
    values = [*args, *(named.get(each.name) for each in arguments[len(args) :])]
    changes = [each.alias_info is not None and each.alias_info.is_write for each in arguments]
    return _tensors([value for value, is_changed in zip(values, changes, strict=True) if is_changed])


def _writing_to(
    results: Sequence[Tensor | None], operation: OpOverload, args: tuple[Any, ...], named: dict[str, Any]
) -> Callable[[], object]:
    """Make what computes an operation once more into the memory of its results."""
    if len(results) == 1 and (with_out := _variant_with_out(operation)) is not None:
        return partial(with_out, *args, **named, out=results[0])

    def compute_and_copy() -> None:
        for to, each in zip(results, _listed(operation(*args, **named)), strict=True):
            if to is not None:
                to.copy_(each)

    return compute_and_copy


def _variant_with_out(operation: OpOverload) -> OpOverload | None:
    """Find the variant of an operation that writes to a tensor it is given; None if there is none.

    That of an operation made of others may be made of others again, and differ in its last bits.
    """
    if torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), "CompositeImplicitAutograd"):  # noqa: SLF001
        return None
    packet = operation.overloadpacket
    wanted = [(each.name, str(each.type)) for each in operation._schema.arguments]  # noqa: SLF001
    for name in packet.overloads():
        variant = getattr(packet, name)
        arguments = variant._schema.arguments  # noqa: SLF001
        plain = [(each.name, str(each.type)) for each in arguments if not each.is_out]
        if len(arguments) == len(plain) + 1 and arguments[-1].name == "out" and plain == wanted:
            return variant  # type: ignore[no-any-return]
    return None
