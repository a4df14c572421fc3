"""Say what is wrong at an address: turn the errors of pyarrow's file systems into messages without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rankelastor.errors import RemoteError
from rankelastor.places import without_secrets
from rankelastor.remote.connections import s3_endpoint

_SECRET_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
_LONGEST_REASON = 200
_AWS_SOURCES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_ADVICE_ON_KEYS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (AWS_NO_SIGN_REQUEST=YES: public buckets)",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login` "
    "(GS_NO_SIGN_REQUEST=YES for public buckets)",
    "hdfs": "set HADOOP_USER_NAME, or run kinit",
}


@contextmanager
def explain_failures(address: str) -> Iterator[None]:
    """Turn an ``OSError`` at an address into a ``RemoteError``; what does not exist stays a ``FileNotFoundError``.

    Raises:
        RemoteError: there is no such bucket, credentials are missing or wrong, access is denied, or no network.
        FileNotFoundError: there is nothing at the address.
    """
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(2, "it does not exist", address) from None
    except OSError as error:
        raise failure(address, error) from None  # the text of the error may hold what is secret


def failure(address: str, error: Exception) -> RemoteError:
    """Make the error that says what is wrong at an address.

    Example:
        >>> str(failure("s3://clicks/a.csv", OSError("AWS Error NO_SUCH_BUCKET"))).partition(";")[0]
        's3://clicks/a.csv must lie in a bucket that exists, but there is no bucket clicks'
    """
    text, shown = str(error), without_secrets(address)
    scheme, _, rest = shown.partition("://")
    for pattern, explain in _EXPLANATIONS:
        if pattern.search(text):
            return RemoteError(f"{shown} must {explain(scheme, rest.partition('/')[0])}")
    return RemoteError(f"{shown} must be readable and writable, but {_without_secrets(text)}; check the address")


def _no_bucket(scheme: str, bucket: str) -> str:
    server = " and AWS_ENDPOINT_URL" if scheme == "s3" and s3_endpoint() else ""
    return f"lie in a bucket that exists, but there is no bucket {bucket}; check its name{server}"


def _wrong_keys(scheme: str, _: str) -> str:
    return (
        "be opened with valid credentials, but those of the environment are wrong or have expired; "
        f"{_ADVICE_ON_KEYS[scheme]}"
    )


def _denied(scheme: str, bucket: str) -> str:
    if scheme == "s3" and not _has_aws_credentials():
        return f"be opened with credentials, but there are none in the environment; {_ADVICE_ON_KEYS[scheme]}"
    return (
        f"be open to the credentials of the environment, but access is denied; ask the owner of {bucket} for the right "
        f"to list, read or write, or {_ADVICE_ON_KEYS[scheme]}"
    )


def _other_region(_: str, __: str) -> str:
    return "be asked for in its region, but lies in another; set AWS_REGION"


def _no_network(scheme: str, _: str) -> str:
    where = s3_endpoint() if scheme == "s3" else None
    server = f"; is {without_secrets(where)} right, which AWS_ENDPOINT_URL names?" if where else ""
    return (
        "be reachable, but the network or the server did not answer after several attempts; check the connection and "
        f"try again{server}"
    )


_EXPLANATIONS: tuple[tuple[re.Pattern[str], Callable[[str, str], str]], ...] = (
    (re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|Bucket '.*' not found|bucket does not exist"), _no_bucket),
    (
        re.compile(
            r"INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN|ExpiredToken|InvalidToken"
            r"|InvalidClientTokenId|UNAUTHENTICATED"
        ),
        _wrong_keys,
    ),
    (re.compile(r"ACCESS_DENIED|AccessDenied|HTTP status 403|PERMISSION_DENIED|Permission denied"), _denied),
    (
        re.compile(r"HTTP status 301|PermanentRedirect|AuthorizationHeaderMalformed|different region"),
        _other_region,
    ),
    (
        re.compile(r"NETWORK_CONNECTION|REQUEST_TIMEOUT|UNAVAILABLE|curlCode|[Tt]imed? ?out|SLOW_DOWN|Connection"),
        _no_network,
    ),
)


def explain_native(file: object, error: Exception) -> None:
    """Raise the explained error if a reader of Arrow failed on what lies at an address; else do nothing."""
    address = str(file)
    if not isinstance(file, Path) and "://" in address and ("AWS Error" in str(error) or "google::cloud" in str(error)):
        raise failure(address, error) from None


def _has_aws_credentials() -> bool:
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials"
    return any(os.environ.get(name) for name in _AWS_SOURCES) or Path(file).is_file()


def _without_secrets(text: str) -> str:
    """Shorten the text of an error, without values of the environment that are secret, and without queries."""
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    line = re.sub(r"\?[^\s'\"]*", "", text.partition("\n")[0])
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."
