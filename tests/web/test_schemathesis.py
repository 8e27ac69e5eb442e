"""Requests made from the description of the HTTP interface, by everybody: each is answered as the description says.

None is answered 5xx that is not described, statuses and types are the described ones, and no answer has a member that
the description does not name: it is read as if it allowed none besides.
"""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from inbond.access.secret import digest_of, id_of
from sim.osv import directory, vulnerability
from web.populated import Populated, populated

EXAMPLES: Final = {"admin": 10, "reader": 4, "anonymous": 4}  # of each operation, of either mode
SUCCEED: Final = {"admin": 40, "reader": 20, "anonymous": 15}  # operations at least: who is only refused shows little
LONGEST: Final = 30.0  # seconds for one request
NO_FAULT: Final = frozenset({502, 503, 504})  # what an index behind inbond, or nothing configured, comes to
CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
MODES: Final = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
PLANNED: Final = settings(
    database=None,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


Known = dict[str, str]
Operation = schemathesis.APIOperation[Any, Any, Any, Any]
Case = schemathesis.Case[Any]
ACCEPTED: Final = (None, "application/json", "text/html", "application/vnd.pypi.simple.v1+json")
ADVISORIES: Final = """
[advisories.own]
path = "{data}/advisories"
"""


def closed(found: Any) -> Any:
    """A schema that allows no members but those that it names, where it names any."""
    if isinstance(found, list):
        return [closed(one) for one in found]
    if not isinstance(found, dict):
        return found
    inner = {name: closed(one) for name, one in found.items()}
    if isinstance(inner.get("properties"), dict) and inner.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


class Sender:
    """Somebody who sends requests, and keeps what is wrong with the answers."""

    def __init__(self, org: Populated, description: dict[str, Any], secret: str | None, known: Sequence[Known]) -> None:
        self.schema = schemathesis.openapi.from_dict(description)
        self.schema.config.update(base_url=org.origin)
        # Credentials that are made up are for whoever has none.
        self.schema.config.generation.update(with_security_parameters=secret is None)
        self.session = requests.Session()
        self.session.trust_env = False
        if secret is not None:
            pair = base64.b64encode(f"__token__:{secret}".encode()).decode()
            self.session.headers["Authorization"] = f"Basic {pair}"
        self.known = known
        self.sent = 0
        self.statuses: set[tuple[str, int]] = set()

    def operations(self) -> Iterator[Operation]:
        for found in self.schema.get_all_operations():
            assert isinstance(found, Ok), found
            yield found.ok()

    def try_all(self, examples: int) -> list[str]:
        return [fault for operation in self.operations() for fault in self._faults(operation, examples)]

    def _faults(self, operation: Operation, examples: int) -> list[str]:
        strategies = [operation.as_strategy(generation_mode=mode) for mode in MODES]
        faults: list[str] = []
        for strategy in strategies:

            @given(case=strategy, known=st.sampled_from([None, *self.known]), accept=st.sampled_from(ACCEPTED))
            @settings(PLANNED, max_examples=examples)
            def attempt(case: Case, known: Known | None, accept: str | None) -> None:
                if known is not None and case.path_parameters:
                    case.path_parameters |= {n: v for n, v in known.items() if n in case.path_parameters}
                self._attempt(case, accept)

            try:
                attempt()
            except Unsatisfiable:  # nothing about it could be wrong
                assert strategy is not strategies[0]
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 (what it is is told)
                faults.append(f"{operation.label}: " + "".join(traceback.format_exception_only(error)))
        return faults

    def _attempt(self, case: Case, accept: str | None) -> None:
        headers = {} if accept is None else {"Accept": accept}
        answer = case.call(session=self.session, headers=headers, timeout=LONGEST, allow_redirects=False)
        self.sent += 1
        self.statuses.add((case.operation.label, answer.status_code))
        assert answer.status_code < 500 or answer.status_code in NO_FAULT, answer.text
        case.validate_response(answer, checks=CHECKS)


async def known_things(org: Populated) -> list[Known]:
    """What really is there, by the names that paths have for it."""

    async def ids(path: str, member: str) -> list[str]:
        return [one["id"] for one in json.loads((await org.get(f"{path}?format=json", org.admin))[1])[member]]

    files = [
        {
            "index": index,
            "project": file.project,
            "filename": file.filename,
            "version": file.version or "",
            "digits": file.sha256[:12],
            "path": file.path.removeprefix("/packages/"),
        }
        for file in (org.held, org.denied, org.served)
        for index in ("data", "payments", "none")
    ]
    found = [
        *(await ids("/-/waivers", "decisions")),
        *(await ids("/-/pins", "decisions")),
        *(await ids("/-/rejections", "decisions")),
        *(await ids("/-/review", "entries")),
        id_of(digest_of(org.operator)),
        "PYSEC-2026-1",
    ]
    assert len(found) > 5
    return [*files, *({"id": one} for one in found)]


@pytest.mark.parametrize("sender", EXAMPLES)
async def test_every_answer_is_as_it_is_described(sender: str, tmp_path: Path) -> None:
    directory(tmp_path / "advisories", {"a.json": vulnerability("PYSEC-2026-1", "demo", fixed="2.0")})
    async with populated(tmp_path, more=ADVISORIES) as org:
        description = json.loads((await org.get("/-/openapi.json"))[1])
        secret = {"admin": org.admin, "reader": org.reader, "anonymous": None}[sender]
        everybody = Sender(org, closed(description), secret, await known_things(org))
        faults = await asyncio.to_thread(everybody.try_all, EXAMPLES[sender])
        assert not faults, "\n\n".join(faults)
        tried = {name for name, _ in everybody.statuses}
        assert tried == {f"{method.upper()} {path}" for path, item in description["paths"].items() for method in item}
        succeeded = {name for name, status in everybody.statuses if status < 400}
        assert len(succeeded) >= SUCCEED[sender], sorted(tried - succeeded)
