"""A local S3 server (moto) for tests of addresses: buckets are new, credentials stand in the environment alone."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest
from pyarrow import fs

from rankelastor.remote.remote_path import RemotePath

SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAOFTHETESTS", "AWS_SECRET_ACCESS_KEY": "secret/of+the/tests"}
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Start the server once; its address."""
    moto = pytest.importorskip("moto.server", reason="moto, a local S3 server, comes with the extra dev")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_environment(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Set the environment of a user of the server; its address."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path_factory.getbasetemp() / "no-credentials"))
    return s3_server


@pytest.fixture
def bucket(s3_environment: str) -> RemotePath:
    """Make an empty bucket."""
    name = f"clicks-{next(_NUMBERS)}"
    system = fs.S3FileSystem(endpoint_override=s3_environment, region="us-east-1", allow_bucket_creation=True)
    system.create_dir(name)
    return RemotePath.of(f"s3://{name}")
