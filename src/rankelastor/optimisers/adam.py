"""Adam for dense parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from rankelastor.optimisers.copying import copy_exactly

_MOMENTS = ("first", "second", "steps")


class DenseAdam:
    """Adam with PyTorch's fused operation: p <- p - rate * m / (sqrt(v) + eps), with bias-corrected moments m and v.

    With ``weight_decay`` this is AdamW: before the step, p <- (1 - rate * weight_decay) * p for the decayed parameters.

    The parameters are the same bit for bit as with ``torch.optim.Adam(parameters, fused=True)``, whose constructor
    imports PyTorch's compiler, which takes longer than a short training.

    Args:
        parameters: changed in place by ``step``; one without a gradient is skipped, and its moments stay.
        learning_rate: step size; it may be changed at any time.
        betas: decay rates of the first and of the second moment.
        weight_decay: strength of the decoupled decay; 0 is Adam.
        decayed: the parameters that decay.

    Example:
        >>> weight = nn.Parameter(torch.tensor([1.0]))
        >>> optimiser = DenseAdam([weight], learning_rate=0.1, betas=(0.9, 0.999))
        >>> weight.grad = torch.tensor([5.0])
        >>> optimiser.step()
        >>> round(weight.item(), 6)
        0.9

    Source: arXiv 1412.6980, algorithm 1; the decay: arXiv 1711.05101, algorithm 2.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        learning_rate: float,
        betas: tuple[float, float],
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decayed: Iterable[nn.Parameter] = (),
    ) -> None:
        self.parameters = list(parameters)
        on_cuda = any(parameter.is_cuda for parameter in self.parameters)
        self._rate: Tensor | float = torch.tensor(learning_rate, device="cuda") if on_cuda else learning_rate
        self._betas = betas
        self._eps = eps
        self._weight_decay = weight_decay
        self._decayed = list(decayed)
        self._moments: dict[nn.Parameter, tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def learning_rate(self) -> float:
        """The step size; on CUDA it lies on the device, so that a recorded step reads it anew."""
        return float(self._rate)

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        if isinstance(self._rate, Tensor):
            self._rate.fill_(learning_rate)
        else:
            self._rate = learning_rate

    @torch.no_grad()
    def step(self) -> None:
        """Take one step with the gradients of the parameters."""
        self._decay()
        stepped = [parameter for parameter in self.parameters if parameter.grad is not None]
        if not stepped:
            return
        moments = [self._moments_of(parameter) for parameter in stepped]
        steps = [step for _, _, step in moments]
        torch._foreach_add_(steps, 1)
        # What torch.optim.adam.adam(fused=True) calls after sorting tensors by device: half of its time for small ones
        torch._fused_adam_(
            list(stepped),
            [parameter.grad for parameter in stepped if parameter.grad is not None],
            [first for first, _, _ in moments],
            [second for _, second, _ in moments],
            [],
            steps,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=self._rate,  # type: ignore[arg-type]
            weight_decay=0.0,
            eps=self._eps,
            maximize=False,
        )

    def _decay(self) -> None:
        weights: list[Tensor] = [parameter for parameter in self._decayed if parameter.grad is not None]
        if self._weight_decay and weights:
            torch._foreach_mul_(weights, 1 - self.learning_rate * self._weight_decay)

    def zero_grad(self) -> None:
        """Remove the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Collect the moments and numbers of steps of the parameters that were stepped, by position; not copied."""
        return {
            f"{index}.{name}": tensor
            for index, parameter in enumerate(self.parameters)
            if parameter in self._moments
            for name, tensor in zip(_MOMENTS, self._moments[parameter], strict=True)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over the moments that ``state`` gave for parameters of the same shapes.

        Raises:
            ValueError: the moments are those of other parameters.

        Example:
            >>> weights = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))]
            >>> first, second = (DenseAdam([weight], learning_rate=0.1, betas=(0.9, 0.999)) for weight in weights)
            >>> weights[0].grad = torch.tensor([1.0, -1.0])
            >>> first.step()
            >>> second.restore(first.state())
            >>> second.state()["0.first"]
            tensor([ 0.1000, -0.1000])
        """
        known = {f"{index}.{name}" for index in range(len(self.parameters)) for name in _MOMENTS}
        if not state.keys() <= known:
            raise ValueError(f"moments of {len(self.parameters)} parameters are known, not {min(state.keys() - known)}")
        self._moments = {}
        for index, parameter in enumerate(self.parameters):
            given = [state.get(f"{index}.{name}") for name in _MOMENTS]
            if all(tensor is None for tensor in given):
                continue
            for own, tensor in zip(self._moments_of(parameter), given, strict=True):
                copy_exactly(own, tensor, name=f"moments of parameter {index}")

    def _moments_of(self, parameter: nn.Parameter) -> tuple[Tensor, Tensor, Tensor]:
        """Return the first moment, the second moment and the number of steps taken; zeros before the first step."""
        if parameter not in self._moments:
            self._moments[parameter] = (
                torch.zeros_like(parameter, memory_format=torch.preserve_format),
                torch.zeros_like(parameter, memory_format=torch.preserve_format),
                torch.zeros((), dtype=torch.float32, device=parameter.device),
            )
        return self._moments[parameter]
