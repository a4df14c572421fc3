"""Where kernels in Triton are tested: on a GPU if there is one, else in Triton's interpreter, see conftest.py."""

import pytest
import torch

pytest.importorskip("triton", reason="kernels in Triton need Triton; `make test` installs it")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
