"""Tokens on a screen, and for programs. Secrets are nowhere but in what was made just now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import tomlkit

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.tokens import Token
from inbond.cli.decisions_shown import table
from inbond.cli.token_run import Created
from inbond.gateway.tokens import Listed, described
from inbond.model.text import printable
from inbond.policy.rule import stamp


def created_text(created: Created) -> str:
    """What is told beside the token, with a newline at the end."""
    token = created.made.token
    until = "never expires" if token.expires_at is None else f"expires on {stamp(token.expires_at)}"
    lines = [f"{described(token)}; {until}"]
    if created.only_printed:
        lines.append("it counts once this entry stands in the configuration; the token itself, shown only now:")
        lines.append(created.made.secret)
    else:
        lines.append("this is the token, shown only now; its user name is __token__:")
    return "".join(f"{printable(line)}\n" for line in lines)


def entry(created: Created) -> str:
    """The token as an entry of `[[access.tokens]]`, with a newline at the end."""
    token = created.made.token
    table = tomlkit.table()
    table.add("name", token.name)
    table.add("sha256", token.digest.hex())
    table.add("role", str(token.grant.role))
    table.add("indexes", sorted(token.grant.indexes))
    if token.expires_at is not None:
        table.add("expires", token.expires_at.isoformat().replace("+00:00", "Z"))
    return f"[[access.tokens]]\n{tomlkit.dumps(table)}"


def created_json(created: Created) -> str:
    """The token with its secret, for programs, with a newline at the end."""
    body = {
        "token": created.made.secret,
        "in_force": not created.only_printed,
        "sha256": created.made.token.digest.hex(),
        **_facts(created.made.token),
    }
    return json.dumps(body, indent=2) + "\n"


def listing(found: Sequence[Listed], form: str, *, now: datetime) -> str:
    """Tokens as a table or JSON, with a newline at the end."""
    if form == "json":
        return json.dumps({"tokens": [_listed_json(one, now) for one in found]}, indent=2) + "\n"
    head = ("id", "name", "role", "indexes", "expires", "last used", "made by", "state")
    rows = [
        (
            one.token.id,
            one.token.name,
            str(one.token.grant.role),
            _indexes(one.token.grant),
            "never" if one.token.expires_at is None else stamp(one.token.expires_at),
            _last(one),
            one.token.made_by,
            one.token.why_not(now) or "in force",
        )
        for one in found
    ]
    return table(head, rows) or "no tokens\n"


def _last(one: Listed) -> str:
    if one.use is None:
        return "-"
    return f"{stamp(one.use.at)}{f' from {one.use.client}' if one.use.client else ''}"


def _indexes(grant: Grant) -> str:
    return "all" if EVERY_INDEX in grant.indexes else ", ".join(sorted(grant.indexes))


def _listed_json(one: Listed, now: datetime) -> dict[str, Any]:
    token, use = one.token, one.use
    return {
        **_facts(token),
        "state": token.why_not(now) or "in force",
        "configured": one.configured,
        "revoked_at": _time(token.revoked_at),
        "revoked_by": token.revoked_by,
        "last_used_at": None if use is None else _time(use.at),
        "last_used_from": None if use is None else use.client or None,
    }


def _facts(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": str(token.grant.role),
        "indexes": sorted(token.grant.indexes),
        "made_by": token.made_by,
        "made_at": _time(token.made_at),
        "expires_at": _time(token.expires_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
