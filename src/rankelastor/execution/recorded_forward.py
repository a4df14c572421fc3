"""Record the operations of a forward pass once, and repeat them for other inputs without the Python of the layers.

For one example, most of the time of a plain call is Python between the operations. A recording holds them in a list:
calls of kernels with their addresses, and operations of PyTorch that write to where they wrote before. It computes the
same operations on the same shapes, so that its results are those of the plain call bit for bit.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rankelastor.execution.hooks import must_run_in_order
from rankelastor.native.calling import hear_calls

logger = logging.getLogger(__name__)

Forward = Callable[..., Tensor]
_MOST_SHAPES = 64
_MOST_BYTES = 2**28
"""Number of shapes that are recorded, and bytes of what recordings hold beside the parameters. Later shapes are not
recorded: to replace recordings by turns would cost more than they save."""
_UNREPEATABLE = (torch.Tag.nondeterministic_seeded, torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output)
_MASKS = (torch.bool, torch.uint8)
_TO_PYTHON = {
    getattr(Tensor, name)
    for name in ("item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "__complex__")
}
_WITHOUT_VALUES = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}

_FRESH, _LIKE = "new_", "_like"
"""How operations are called that take no values from the tensor they are given, such as ``new_zeros``: what they make
may be written to."""


class RecordedForward:
    """A forward pass on the CPU that is recorded when a shape of its inputs comes for the second time.

    It runs as it is

    - while a module has hooks or a forward of its own, which a recording does not call;
    - while another thread is in it;
    - for a shape that cannot be recorded: values choose its operations, or they are random;
    - for further shapes once there are 64 or their memory is 256 MiB.

    Operations that read nothing but parameters and buffers are computed once, so these must not change.

    Args:
        forward: function of tensors without gradients, such as the ids and numbers of a batch.
        model: holds the parameters and buffers that it reads.

    Example:
        >>> layer = nn.Linear(2, 1).requires_grad_(False)
        >>> forward = RecordedForward(layer, layer)
        >>> inputs = [torch.randn(3, 2) for _ in range(4)]
        >>> all(torch.equal(forward(each), layer(each)) for each in inputs)
        True
        >>> forward.num_recorded
        1
    """

    def __init__(self, forward: Forward, model: nn.Module) -> None:
        self._forward = forward
        self._modules = list(model.modules())
        self._fixed = [*model.parameters(), *model.buffers()]
        self._recordings: dict[object, _Recording | None] = {}
        self._seen: set[object] = set()
        self._num_bytes = 0
        self._lock = threading.Lock()

    @property
    def num_recorded(self) -> int:
        """Number of shapes with a recording."""
        return sum(recording is not None for recording in self._recordings.values())

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        """Compute ``forward(*inputs)``; the result is the caller's."""
        if must_run_in_order(*self._modules) or not self._lock.acquire(blocking=False):
            return self._forward(*inputs)
        try:
            return self._repeat_or_record(inputs)
        finally:
            self._lock.release()

    def _repeat_or_record(self, inputs: Sequence[Tensor | None]) -> Tensor:
        key = torch.get_num_threads(), *[None if each is None else (each.shape, each.dtype) for each in inputs]
        if key not in self._recordings and key in self._seen and self._has_room:
            recording = self._recordings[key] = self._record(inputs)
            self._num_bytes += 0 if recording is None else recording.num_bytes
        if self._has_room:
            self._seen.add(key)
        recording = self._recordings.get(key)
        return self._forward(*inputs) if recording is None else recording.repeat(inputs)

    @property
    def _has_room(self) -> bool:
        return len(self._recordings) < _MOST_SHAPES and self._num_bytes < _MOST_BYTES

    def _record(self, inputs: Sequence[Tensor | None]) -> _Recording | None:
        own = [None if each is None else each.clone() for each in inputs]
        recorder = _Recorder(self._fixed)
        try:
            with torch.inference_mode(), hear_calls(recorder.note_kernel), _NoValues(recorder), recorder:
                output = self._forward(*own)
        except NotRecordableError as error:
            logger.debug("scoring runs without a recording: %s", error)
            return None
        return _Recording(own, recorder.repeats, output, recorder.alive, recorder.num_bytes)


class NotRecordableError(Exception):
    """An operation that a recording cannot repeat."""


@dataclass(frozen=True)
class _Recording:
    """The operations of one shape.

    Attributes:
        inputs: where inputs are copied to.
        repeats: the operations in their order.
        output: where the result stands afterwards.
        alive: what the operations read and write.
        num_bytes: memory of it, without parameters and buffers.
    """

    inputs: Sequence[Tensor | None]
    repeats: Sequence[Callable[[], object]]
    output: Tensor
    alive: Sequence[object]
    num_bytes: int

    def repeat(self, inputs: Sequence[Tensor | None]) -> Tensor:
        with torch.inference_mode():
            for own, given in zip(self.inputs, inputs, strict=True):
                if own is not None and given is not None:
                    own.copy_(given)
            for operation in self.repeats:
                operation()
            return self.output.clone()


@dataclass
class _Recorder(TorchDispatchMode):
    """Collects what repeats the operations that run within its context.

    Attributes:
        fixed: parameters and buffers, which operations only read.
        repeats: what repeats each operation.
        alive: tensors whose memory the operations use.
    """

    fixed: Iterable[Tensor]
    repeats: list[Callable[[], object]] = field(default_factory=list)
    alive: list[object] = field(default_factory=list)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler for this, which takes seconds: nothing is compiled here."""
        return False

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given_memory = {_memory(each) for each in self.fixed}
        self._fixed_memory = set(self._given_memory)

    @property
    def num_bytes(self) -> int:
        """Bytes of the memory that the operations use, without that of ``fixed``."""
        storages = [each.untyped_storage() for each in _tensors(self.alive)]
        sizes = {each.data_ptr(): each.nbytes() for each in storages}
        return sum(size for memory, size in sizes.items() if memory not in self._given_memory)

    def is_fixed(self, values: object) -> bool:
        """Tell whether there are tensors among these values, all of them from parameters and buffers alone."""
        given = _tensors(values)
        return bool(given) and all(_memory(each) in self._fixed_memory for each in given)

    def note_kernel(self, again: Callable[[], object], values: Iterable[object]) -> None:
        self.repeats.append(again)
        self.alive.extend(values)

    def __torch_dispatch__(
        self, operation: OpOverload, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        named = dict(kwargs or {})
        result = operation(*args, **named)
        self._note(operation, args, named, result)
        return result

    def _note(self, operation: OpOverload, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
        given, is_fixed = _tensors((args, named)), self.is_fixed((args, named))
        results = [result] if isinstance(result, Tensor) else list(result) if isinstance(result, tuple | list) else []
        if not all(isinstance(each, Tensor) for each in results) or not results:
            if is_fixed:
                return
            raise NotRecordableError(f"{operation} gives a value to Python")
        takes_places = operation is torch.ops.aten.index.Tensor and all(each.dtype not in _MASKS for each in given[1:])
        if any(tag in operation.tags for tag in _UNREPEATABLE) and not takes_places:
            raise NotRecordableError(f"{operation} is random, or the shape of its result depends on values")
        self.alive.append((args, named, results))
        if operation._schema.is_mutable:  # noqa: SLF001
            if is_fixed:
                return
            if any(_memory(each) in self._fixed_memory for each in results):
                raise NotRecordableError(f"{operation} changes what was computed from parameters alone")
            self.repeats.append(partial(operation, *args, **named))
        elif {_memory(each) for each in results} <= {_memory(each) for each in given}:
            return  # a view, of the memory that is there
        elif operation._opname in _WITHOUT_VALUES:  # noqa: SLF001
            return  # memory that something else is written to
        elif is_fixed and not operation._opname.startswith(_FRESH) and not operation._opname.endswith(_LIKE):  # noqa: SLF001
            self._fixed_memory |= {_memory(each) for each in results}
        else:
            self.repeats.append(_writing_to(results, operation, args, named))


class _NoValues(TorchFunctionMode):
    """Refuses to hand values to Python, where they could choose operations and shapes, but for those of parameters."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, function: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        if function in _TO_PYTHON and not self._recorder.is_fixed(args):
            raise NotRecordableError(f"{function.__name__} gives values to Python")
        return function(*args, **(kwargs or {}))


def _tensors(values: object) -> list[Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, Tensor)]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _writing_to(
    results: Sequence[Tensor], operation: OpOverload, args: tuple[Any, ...], named: dict[str, Any]
) -> Callable[[], object]:
    """Make what computes an operation once more into the memory of its results."""
    if len(results) == 1 and (with_out := _variant_with_out(operation)) is not None:
        return partial(with_out, *args, **named, out=results[0])

    def compute_and_copy() -> None:
        again = operation(*args, **named)
        for to, each in zip(results, [again] if isinstance(again, Tensor) else again, strict=True):
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
