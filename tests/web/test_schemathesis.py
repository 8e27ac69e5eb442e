"""Requests made from the description of the HTTP interface, by everybody: each is answered as the description says.

None is answered 5xx that is not described, statuses and types are the described ones, and no answer has a member that
the description does not name: it is read as if it allowed none besides.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from sim.osv import directory, vulnerability
from web.populated import Populated, populated

EXAMPLES: Final = {"admin": 14, "operator": 6, "reader": 6, "anonymous": 6}  # of each operation, of either mode
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
        self.session = requests.Session()
        self.session.trust_env = False
        if secret is not None:
            pair = base64.b64encode(f"__token__:{secret}".encode()).decode()
            self.session.headers["Authorization"] = f"Basic {pair}"
        self.known = known
        self.sent = 0
        self.statuses: set[tuple[str, int]] = set()

    def operations(self) -> Iterator[schemathesis.APIOperation]:
        for found in self.schema.get_all_operations():
            yield found.ok()

    def try_all(self, examples: int) -> list[str]:
        return [fault for operation in self.operations() for fault in self._faults(operation, examples)]

    def _faults(self, operation: schemathesis.APIOperation, examples: int) -> list[str]:
        strategies = [operation.as_strategy(generation_mode=mode) for mode in MODES]
        faults: list[str] = []
        for strategy in strategies:

            @given(case=strategy, known=st.sampled_from([None, *self.known]), accept=st.sampled_from(ACCEPTED))
            @settings(PLANNED, max_examples=examples)
            def attempt(case: schemathesis.Case, known: Known | None, accept: str | None) -> None:
                if known is not None and case.path_parameters:
                    case.path_parameters |= {n: v for n, v in known.items() if n in case.path_parameters}
                self._attempt(case, accept)

            try:
                attempt()
            except (Exception, BaseExceptionGroup) as error:
                faults.append(f"{operation.label}: " + "".join(traceback.format_exception_only(error)))
        return faults

    def _attempt(self, case: schemathesis.Case, accept: str | None) -> None:
        headers = {} if accept is None else {"Accept": accept}
        answer = case.call(session=self.session, headers=headers, timeout=LONGEST, allow_redirects=False)
        self.sent += 1
        self.statuses.add((case.operation.label, answer.status_code))
        assert answer.status_code < 500 or answer.status_code in NO_FAULT, answer.text
        case.validate_response(answer, checks=CHECKS)


Known = dict[str, str]
ACCEPTED: Final = (None, "application/json", "text/html", "application/vnd.pypi.simple.v1+json")
