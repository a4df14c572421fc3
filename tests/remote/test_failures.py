import importlib

import pytest
from tests.local_s3 import SECRETS

from rankelastor.errors import RemoteError
from rankelastor.remote import connections
from rankelastor.remote.failures import explain_failures, failure
from rankelastor.remote.remote_path import RemotePath

ADDRESS = "s3://clicks/a.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AWS Error NO_SUCH_BUCKET during ListObjectsV2", "there is no bucket clicks; check its name"),
        (
            "AWS Error INVALID_ACCESS_KEY_ID during",
            "those of the environment are wrong or have expired; set AWS_ACCESS",
        ),
        ("AWS Error ACCESS_DENIED during HeadObject", "but access is denied; ask the owner of clicks for the right"),
        ("AWS Error UNKNOWN (HTTP status 301)", "must be asked for in its region, but lies in another; set AWS_REGION"),
        ("AWS Error NETWORK_CONNECTION: curlCode: 6", "the server did not answer after several attempts; check the"),
        ("something else broke?X-Amz-Signature=abc now", "must be readable and writable, but something else broke now"),
    ],
)
def test_a_failure_says_what_is_wrong(text: str, message: str, s3_environment: str) -> None:
    assert message in str(failure(ADDRESS, OSError(text)))


def test_missing_credentials_are_told_from_rights(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name)
    error = failure(ADDRESS, OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body."))
    assert "but there are none in the environment; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(error)


def test_no_message_holds_a_secret_of_the_environment(s3_environment: str) -> None:
    secret = SECRETS["AWS_SECRET_ACCESS_KEY"]
    shown = str(
        failure(f"s3://{SECRETS['AWS_ACCESS_KEY_ID']}:{secret}@clicks/a", OSError(f"odd: {secret} in {ADDRESS}"))
    )
    assert shown == "s3://clicks/a must be readable and writable, but odd: *** in s3://clicks/a.csv; check the address"


def test_the_original_error_is_not_shown_beside_ours(s3_environment: str) -> None:
    with pytest.raises(RemoteError) as raised, explain_failures(ADDRESS):
        raise OSError(SECRETS["AWS_SECRET_ACCESS_KEY"])
    assert raised.value.__suppress_context__


def test_a_server_that_does_not_answer_is_named_after_a_few_attempts(
    s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(connections, "_ATTEMPTS", 2)
    message = (
        r"s3://clicks/a.csv must be reachable.* several attempts.*; is http://127.0.0.1:9 right, which AWS_ENDPOINT"
    )
    with pytest.raises(RemoteError, match=message):
        RemotePath.of(ADDRESS).exists()


def test_a_server_that_denies_is_understood(bucket: RemotePath, monkeypatch: pytest.MonkeyPatch) -> None:
    (bucket / "a.csv").write_bytes(b"x")
    monkeypatch.setattr(importlib.import_module("moto.settings"), "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    message = "must be open to the credentials|those of the environment are wrong"
    with pytest.raises(RemoteError, match=message) as raised:
        (bucket / "a.csv").read_bytes()
    assert not any(secret in str(raised.value) for secret in SECRETS.values())
