"""An organisation for tests of access: two teams with an index and a policy each, and whoever asks there."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.roles import Role
from inbond.gateway.tokens import Asking, Made, make_token, revoke_token
from sim.index import SimIndex
from stack import Inbond, inbond

# Index a lets through what index b, which requires attestations, denies; root stands for the rest of the house.
TWO_TEAMS = """
[server]
listen = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
[policies.off]
attestations = "off"
[policies.require]
attestations = "require"
[indexes.a]
policy = "off"
[indexes.b]
policy = "require"
[access]
readers = "granted"
front_header = "X-Remote-User"
front_groups_header = "X-Remote-Groups"
[[access.people]]
names = ["ada"]
role = "reader"
indexes = ["a"]
[[access.people]]
groups = ["packaging"]
role = "operator"
indexes = ["a", "b"]
"""
WHEEL = "demo-1.0-py3-none-any.whl"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def basic(secret: str, user: str = "__token__") -> str:
    """An Authorization header as installers send it."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


async def token(proxy: Inbond, role: Role, *indexes: str, expires: timedelta | None = None, name: str = "test") -> Made:
    """A new token of the ledger."""
    now = proxy.clock()
    return await make_token(
        proxy.up.signing_in.access.tokens,
        name,
        Grant(role=role, indexes=frozenset(indexes)),
        expires=None if expires is None else now + expires,
        asking=Asking(by="tests", client="command", now=now),
        random=secrets.token_bytes,
    )


async def revoked(proxy: Inbond, made: Made) -> None:
    """Ends a token."""
    asking = Asking(by="tests", client="command", now=proxy.clock())
    await revoke_token(proxy.up.signing_in.access.tokens, made.token.id, asking)


@dataclass
class Organisation:
    """A running inbond, and by which headers each identity comes."""

    proxy: Inbond
    index: SimIndex
    headers: dict[str, dict[str, str]]

    async def ask(self, who: str, method: str, path: str, **options: Any) -> tuple[int, bytes, dict[str, str]]:
        """The status, body and headers of the answer to one of them."""
        headers = self.headers[who] | options.pop("headers", {})
        async with self.proxy.session.request(
            method, self.proxy.url(path), headers=headers, allow_redirects=False, **options
        ) as response:
            return response.status, await response.read(), dict(response.headers)


@asynccontextmanager
async def organisation(tmp_path: Path, *, more: str = "") -> AsyncIterator[Organisation]:
    """Both teams, with the identities of the table in `test_access_matrix`."""
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        async with inbond(tmp_path, index, config=TWO_TEAMS, more=more) as proxy:
            made = {
                "reader a": await token(proxy, Role.READER, "a"),
                "operator b": await token(proxy, Role.OPERATOR, "b"),
                "admin": await token(proxy, Role.ADMIN, EVERY_INDEX),
                "expired": await token(proxy, Role.ADMIN, EVERY_INDEX, expires=timedelta(seconds=1)),
                "revoked": await token(proxy, Role.ADMIN, EVERY_INDEX),
            }
            await revoked(proxy, made["revoked"])
            proxy.clock.advance(timedelta(minutes=1))
            headers = {name: {"Authorization": basic(one.secret)} for name, one in made.items()}
            headers |= {"anonymous": {}, "ada": {"X-Remote-User": "ada"}, "nobody": {"X-Remote-User": "bob"}}
            yield Organisation(proxy, index, headers)
