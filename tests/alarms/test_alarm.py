import logging

import pytest

from rankelastor.alarms.alarm import Alarm, log_alarms


def test_a_loud_alarm_is_logged_as_an_error_and_others_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    log_alarms([Alarm("unseen_field", ("new.csv", "user"), "100% of user", loud=True), Alarm("x", (), "quiet")])
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "100% of user"),
        (logging.WARNING, "quiet"),
    ]
