"""Connect to the file systems of addresses, with credentials and options from the environment alone."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import lru_cache

from pyarrow import fs

from rankelastor.errors import RemoteError

_CONNECT_SECONDS = 10.0
_REQUEST_SECONDS = 120.0
_RETRY_SECONDS = 60.0
_ATTEMPTS = 4
_DEFAULT_REGION = "us-east-1"


def connect(scheme: str, authority: str) -> fs.FileSystem:
    """Connect to the file system of an address; each is made once in a process while the environment stays the same.

    S3 takes what its other programs take: ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE`` or the
    role of the machine; ``AWS_REGION``; ``AWS_ENDPOINT_URL`` for another server; ``AWS_NO_SIGN_REQUEST=YES`` for public
    buckets. Google's takes ``GOOGLE_APPLICATION_CREDENTIALS`` or the role of the machine, and HDFS the settings of
    Hadoop (``HADOOP_HOME``, ``CLASSPATH``). Failed requests are tried again a few times.

    Args:
        scheme: ``s3``, ``gs`` or ``hdfs``.
        authority: the bucket; for HDFS host and port.

    Raises:
        RemoteError: there is no such file system here, as HDFS without Java.
        OSError: the region of a bucket cannot be asked for.
    """
    match scheme:
        case "s3":
            region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
            return _s3(authority, s3_endpoint(), region, is_anonymous=_is_yes("AWS_NO_SIGN_REQUEST"))
        case "gs":
            return _gcs(os.environ.get("STORAGE_EMULATOR_HOST"), is_anonymous=_is_yes("GS_NO_SIGN_REQUEST"))
        case _:
            return _hdfs(authority)


def s3_endpoint() -> str | None:
    """Read the address of the S3 server that the environment names; None is Amazon's."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


@lru_cache(maxsize=64)
def _s3(bucket: str, endpoint: str | None, region: str | None, *, is_anonymous: bool) -> fs.FileSystem:
    if region is None:
        region = _DEFAULT_REGION if endpoint else fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        anonymous=is_anonymous,
        region=region,
        endpoint_override=endpoint,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


@lru_cache(maxsize=4)
def _gcs(emulator: str | None, *, is_anonymous: bool) -> fs.FileSystem:
    scheme, found, host = (emulator or "").rpartition("://")
    return fs.GcsFileSystem(
        anonymous=is_anonymous or emulator is not None,
        endpoint_override=host or None,
        scheme=scheme if found else ("http" if emulator else None),
        retry_time_limit=timedelta(seconds=_RETRY_SECONDS),
    )


@lru_cache(maxsize=16)
def _hdfs(authority: str) -> fs.FileSystem:
    try:
        return fs.HadoopFileSystem.from_uri(f"hdfs://{authority or 'default'}")
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise RemoteError(
            f"hdfs://{authority} must be opened by Hadoop's library, but it cannot be loaded here ({reason}); set "
            "HADOOP_HOME, JAVA_HOME and CLASSPATH=$(hadoop classpath --glob)"
        ) from None


def _is_yes(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in {"yes", "true", "1", "on"}
