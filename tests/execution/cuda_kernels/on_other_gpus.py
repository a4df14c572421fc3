"""Compile kernels in Triton for GPUs that are not here: the interpreter computes what the compiler may refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

_COMPILE = """
import json
import sys
from importlib import import_module
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

module, name, kinds, others, constants = json.loads(sys.argv[1])
kernel = getattr(import_module(f"rankelastor.execution.cuda_kernels.{module}"), name)
signature = {each: "constexpr" if each in constants else kinds.get(each, others) for each in kernel.arg_names}
for capability in (80, 90):
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    assert compile(source, target=GPUTarget("cuda", capability, 32)).asm["cubin"]
"""


def require_compiled(
    module: str, kernel: str, *, kinds: Mapping[str, str], others: str, constants: Mapping[str, object]
) -> None:
    """Assert that a kernel compiles for compute capabilities 8.0 and 9.0.

    Args:
        module: the module in ``execution/cuda_kernels/``.
        kernel: the kernel's name there.
        kinds: Triton's types of some arguments, such as ``*fp32`` or ``i32``.
        others: the type of all others that are no constants.
        constants: the values of the arguments that are constants.
    """
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    given = json.dumps([module, kernel, kinds, others, constants])
    command = [sys.executable, "-c", _COMPILE, given]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
