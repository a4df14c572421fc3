"""Name places in messages: a path in full, an address (``s3://...``) without secrets; ``remote`` opens addresses."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rankelastor.errors import RankElastorError

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<slashes>/+)(?P<rest>.*)", re.DOTALL)
_SCHEMES = frozenset(
    {"abfs", "abfss", "adl", "adls", "azure", "cos", "dbfs", "file", "ftp", "ftps", "gcs", "gs", "hdfs", "hf", "http"}
    | {"https", "jdbc", "obs", "oss", "r2", "s3", "s3a", "s3n", "sftp", "ssh", "viewfs", "wasb", "wasbs", "webhdfs"}
)


_QUERY = re.compile(r"\?[\w.-]+=.*", re.DOTALL)
"""A query, as against the mark ``?`` of a glob: a name and an equals sign follow."""

_WITH_PASSWORD = re.compile(r"[^/@]*:(?!\d+/).*@", re.DOTALL)
"""User and password, as against host and port."""


def in_full(place: str | Path) -> str:
    """Write a path from the root of the file system, without following links.

    Example:
        >>> in_full("/data/logs/../clicks.csv")
        '/data/clicks.csv'
    """
    return os.path.abspath(place)  # noqa: PTH100 - Path.absolute keeps `..`, Path.resolve follows links


def address_of(place: str | Path) -> str | None:
    """Return a place as an address if it is one, with both slashes, of which ``Path`` keeps one; else None.

    A path whose first part ends with a colon is an address only if it begins with a known scheme and that folder does
    not exist.

    Example:
        >>> address_of(Path("s3://bucket/clicks.parquet")), address_of("gopher://host/a"), address_of("a/b.csv")
        ('s3://bucket/clicks.parquet', 'gopher://host/a', None)
    """
    found = _ADDRESS.fullmatch(str(place))
    if found is None:
        return None
    scheme, slashes, rest = found["scheme"], found["slashes"], found["rest"]
    if len(slashes) > 1:
        return str(place)
    if scheme.lower() not in _SCHEMES or Path(f"{scheme}:").exists():
        return None
    return f"{scheme}:{'///' if scheme.lower() == 'file' else '//'}{rest}"


def without_secrets(place: str | Path) -> str:
    """Write a place for messages and files: an address loses its user, password and query, which may be secret.

    Example:
        >>> without_secrets("s3://KEY:SECRET@bucket/a.csv?token=T"), without_secrets("a/b@c.csv")
        ('s3://bucket/a.csv', 'a/b@c.csv')
    """
    address = address_of(place)
    if address is None:
        return str(place)
    scheme, _, rest = address.partition("://")
    rest = _QUERY.sub("", rest)
    if _WITH_PASSWORD.match(rest):  # a password may hold slashes
        rest = rest.rpartition("@")[2]
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def refuse_secrets(place: str | Path, *, what: str, error: type[Exception]) -> None:
    """Raise an ``error`` if an address holds a user, a password or a query; the message does not repeat them.

    Example:
        >>> refuse_secrets("s3://KEY:SECRET@bucket/a.csv", what="files.all", error=ValueError)
        Traceback (most recent call last):
        ValueError: files.all must be an address without user, password and query, which would be written down, but \
s3://bucket/a.csv was given with some; take them out, and give credentials and options by the environment \
(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL)
    """
    address = address_of(place)
    if address is None or without_secrets(address) == address:
        return
    raise error(
        f"{what} must be an address without user, password and query, which would be written down, but "
        f"{without_secrets(address)} was given with some; take them out, and give credentials and options by the "
        "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL)"
    )


def refuse_address(place: str | Path, *, what: str, error: type[RankElastorError]) -> None:
    """Raise an ``error`` if a place is an address, such as ``s3://bucket/clicks.parquet``.

    Args:
        place: what was given as the path of a file or folder.
        what: what the path is for, as it begins the message.
        error: the class of the error.

    Example:
        >>> from rankelastor.errors import DataError
        >>> refuse_address("s3://bucket/a.csv", what="files.all", error=DataError)
        Traceback (most recent call last):
        rankelastor.errors.DataError: files.all must be a path, but s3://bucket/a.csv was given, and addresses (s3://) \
cannot be opened; try copying the files to a disk, or mounting the place as a folder
    """
    address = address_of(place)
    if address is None:
        return
    scheme, address = address.partition(":")[0], without_secrets(address)
    advice = (
        f"try {address.partition(':')[2].lstrip('/').join(['/', ''])}"
        if scheme.lower() == "file"
        else "try copying the files to a disk, or mounting the place as a folder"
    )
    raise error(
        f"{what} must be a path, but {address} was given, and addresses ({scheme}://) cannot be opened; {advice}"
    )
