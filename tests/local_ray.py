"""A local Ray cluster for tests, which waits long enough for its processes on busy cores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

PATIENCE = {
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "300",
    "RAY_health_check_initial_delay_ms": "300000",
    "RAY_health_check_timeout_ms": "120000",
    "RAY_health_check_failure_threshold": "20",
}
"""How long Ray's processes wait for one another, which is seconds by default."""


@pytest.fixture(scope="module", params=[1, 4])
def ray_cluster(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A cluster of so many workers: the module ``ray``, connected to it."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (PATIENCE | {"OMP_NUM_THREADS": "1"}).items():
            patched.setenv(name, value)
        ray = pytest.importorskip("ray", reason="ray is an extra")
        ray.init(num_cpus=request.param, include_dashboard=False, log_to_driver=False, configure_logging=False)
        yield ray
        ray.shutdown()
