"""One message to one webhook, outside the outbox."""

from __future__ import annotations

import secrets
from typing import Final, assert_never

from inbond.cli.config import Config
from inbond.cli.foundation import USER_AGENT
from inbond.gateway.clock import utc_now
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean
from inbond.model.text import printable
from inbond.webhooks.message import Message
from inbond.webhooks.sending import Answer, Arrived, Failed, Sender, Unwanted

TEST: Final = "test"


async def tried(config: Config, name: str) -> Answer:
    """What a webhook answers. Raises `ConfigurationError` where there is none of that name."""
    if config.offline:
        raise ConfigurationError(
            "inbond runs offline: no webhook is told anything",
            remedy="run this without offline, where there is a network",
        )
    known = {one.name: one for one in config.webhooks}
    if name not in known:
        near = did_you_mean(name, known) or "; the configuration has none"
        raise ConfigurationError(
            f"there is no webhook {name!a}{near}", remedy="webhooks are defined by [webhooks.NAME]"
        )
    sender = Sender(known[name], clock=utc_now, user_agent=USER_AGENT)
    try:
        return await sender.send(_message())
    finally:
        await sender.aclose()


def _message() -> Message:
    key = f"{TEST}/{secrets.token_hex(8)}"  # every try is another message
    data: dict[str, object] = {"key": key, "message": "inbond can reach this webhook", "detail": {}}
    return Message.telling(key=key, kind=TEST, at=utc_now(), data=data)


def has_arrived(answer: Answer) -> bool:
    """Whether the receiver took it."""
    return isinstance(answer, Arrived)


def as_text(name: str, answer: Answer) -> str:
    """For people: what came of it, and the first that the receiver said."""
    match answer:
        case Arrived(status=status, said=said):
            head = f"webhook {name}: arrived, answered {status}"
        case Failed(reason=reason, said=said):
            head = f"webhook {name}: did not arrive: {reason}"
        case Unwanted(reason=reason):
            head, said = f"webhook {name}: not wanted: {reason}", ""
        case _:
            assert_never(answer)
    return "\n".join([head, *(f"  {printable(line)}" for line in said.strip().splitlines()[:5])])
