"""The circuits of one upstream: apart by host and kind, bounded, and told."""

from __future__ import annotations

import pytest

from inbond.model.errors import UpstreamPaused, UpstreamTimeout
from inbond.model.events import Alert, Event, UpstreamHeld
from inbond.upstream.breaker import OPEN_SECONDS, OPENS_AFTER
from inbond.upstream.circuits import MAX_TROUBLED, Circuits

HOST = "https://files.example"


def fails(circuits: Circuits, kind: str = "page", host: str = HOST, times: int = OPENS_AFTER) -> None:
    for number in range(times):
        with pytest.raises(UpstreamTimeout), circuits.around(f"{host}/{number}", kind):
            raise UpstreamTimeout("it fell silent")


def test_kinds_and_hosts_are_apart() -> None:
    circuits = Circuits("acme", lambda _: None, clock=lambda: 0.0)
    fails(circuits)
    with pytest.raises(UpstreamPaused, match=r"https://files\.example is not asked for a page now"):
        circuits.around(f"{HOST}/x", "page").__enter__()
    with circuits.around(f"{HOST}/x", "file"), circuits.around("https://other.example/x", "page"):
        assert circuits.told() == "no answer, tried again only now and then: https://files.example (page)"


def test_what_leads_nowhere_is_for_whoever_asks_to_tell() -> None:
    circuits = Circuits("acme", lambda _: None, clock=lambda: 0.0)
    with circuits.around("http://[broken", "file"), circuits.around("relative", "file"):
        assert circuits.told() is None


def test_of_many_hosts_in_trouble_the_oldest_is_forgotten_and_counted_as_asked_again() -> None:
    heard: list[Event] = []
    circuits = Circuits("acme", heard.append, clock=lambda: 0.0)
    fails(circuits)
    for number in range(MAX_TROUBLED):
        fails(circuits, host=f"https://{number}.example", times=1)
    assert [one.change for one in heard if isinstance(one, UpstreamHeld)] == [1, -1]
    assert [one.name for one in heard if isinstance(one, Alert)] == ["upstream-held", "upstream-back"]
    assert circuits.told() is None


def test_what_is_held_is_waited_for_only_until_it_may_be_tried() -> None:
    now = [0.0]
    circuits = Circuits("acme", lambda _: None, clock=lambda: now[0])
    assert state(circuits) == (False, False)
    fails(circuits)
    assert state(circuits) == (True, True)
    now[0] = OPEN_SECONDS
    assert state(circuits) == (True, False)
    with circuits.around(f"{HOST}/x", "page"):
        assert state(circuits) == (True, True)
    assert state(circuits) == (False, False)


def state(circuits: Circuits) -> tuple[bool, bool]:
    return circuits.held, circuits.waiting


def test_a_probe_that_is_given_up_lets_the_next_try() -> None:
    now = [0.0]
    circuits = Circuits("acme", lambda _: None, clock=lambda: now[0])
    fails(circuits)
    now[0] += 6
    with pytest.raises(KeyboardInterrupt):
        _given_up(circuits)
    with circuits.around(f"{HOST}/x", "page"):
        pass
    assert circuits.told() is None


def _given_up(circuits: Circuits) -> None:
    with circuits.around(f"{HOST}/x", "page"):
        with pytest.raises(UpstreamPaused), circuits.around(f"{HOST}/y", "page"):
            pass  # one probe at a time
        raise KeyboardInterrupt
