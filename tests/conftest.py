"""What holds for all tests."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is slow, not wrong: how long an example takes says nothing about what it shows.
settings.register_profile("inbond", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("inbond")

# Who runs the tests in the background, or under nohup, has their children ignore what a terminal sends.
for _one, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_one) is signal.SIG_IGN:
        signal.signal(_one, _usual)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the walk through the pages leaves pictures of them: see `make screenshots`."""
    parser.addoption("--screenshots", metavar="DIR", default=None, help="keep pictures of all pages in DIR")


@pytest.fixture(autouse=True)
def plain_children(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that a test starts are not measured: that makes their start half as long again.

    Tests of what runs in such processes alone are marked `measured_children`.
    """
    if "measured_children" not in request.keywords:
        for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
            monkeypatch.delenv(name, raising=False)
