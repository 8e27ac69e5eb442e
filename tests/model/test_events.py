from __future__ import annotations

from inbond.model.events import Alert, Event, Observer, unobserved


def test_an_observer_hears_events_and_the_silent_one_takes_any() -> None:
    heard: list[Event] = []
    alert = Alert(name="serial-went-back", message="demo: 5 after 6")
    observers: list[Observer] = [heard.append, unobserved]
    for observer in observers:
        observer(alert)
    assert heard == [alert]
