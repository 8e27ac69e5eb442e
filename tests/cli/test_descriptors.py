"""Connections need file descriptors: the limit is raised as far as it goes, and what does not fit is said."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from inbond.cli.descriptors import OF_A_CONNECTION, OWN, needed, raised, with_descriptors
from inbond.web.settings import ListenAddress, ServerLimits, ServerSettings


@pytest.fixture
def hard() -> Iterator[int]:
    """A soft limit below the hard one, which this process has again afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowered = 1024
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def serving(connections: int) -> ServerSettings:
    limits = ServerLimits(max_connections=connections)
    return ServerSettings(listen=ListenAddress.parse("127.0.0.1:0"), limits=limits)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.usefixtures("hard")
def test_the_limit_is_raised_to_what_is_needed_and_never_lowered() -> None:
    assert raised(1500) == soft_limit() == 1500
    assert raised(100) == soft_limit() == 1500


@pytest.mark.usefixtures("hard")
def test_enough_descriptors_change_nothing() -> None:
    server = serving(500)
    with capture_logs() as logs:
        assert with_descriptors(server) is server
    assert (logs, soft_limit()) == ([], needed(server))


def test_fewer_connections_are_served_where_the_hard_limit_is_too_low(hard: int) -> None:
    wanted = hard  # each takes two
    with capture_logs() as logs:
        server = with_descriptors(serving(wanted))
    assert soft_limit() == hard
    assert server.limits.max_connections == (hard - OWN) // OF_A_CONNECTION
    (said,) = logs
    assert (said["log_level"], said["configured"]) == ("warning", wanted)
    assert f"{wanted * OF_A_CONNECTION + OWN}" in said["remedy"]
