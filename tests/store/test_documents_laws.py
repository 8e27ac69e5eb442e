"""Documents behave like a mapping that may forget: what they give is what was put, whatever is done to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from inbond.store.documents import DiskDocuments, open_documents
from store.heard import Heard

KEYS = st.sampled_from(["page/pypi/a", "page/pypi/b", "evidence/a", "é/\x00"])
VALUES = st.binary(max_size=300) | st.builds(lambda byte: bytes([byte]) * 50_000, st.integers(0, 255))
TAMPERING = st.sampled_from([
    "UPDATE Cache SET mode = 4",
    "UPDATE Cache SET filename = '/etc/hostname'",
    "UPDATE Cache SET value = x'80'",
    "UPDATE Cache SET value = (SELECT value FROM Cache ORDER BY rowid LIMIT 1)",
    "UPDATE Cache SET key = lower(hex(randomblob(4)))",
    "UPDATE Cache SET expire_time = 0",
    "UPDATE Settings SET value = 'x'",
    "DELETE FROM Settings",
    "DROP TABLE Cache",
    "DROP INDEX Cache_key_raw",
])  # fmt: skip


class DocumentsMachine(RuleBasedStateMachine):
    """While nobody tampers, exactly a mapping; afterwards still never a value that was not put last."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.parent = Path(tempfile.mkdtemp())
        self.database = self.parent / "documents" / "cache.db"
        self.model: dict[str, bytes] = {}
        self.unsure: set[str] = set()  # keys that may have been forgotten
        self.touched = False  # by others: what is opened next may begin anew
        self.crashed: list[DiskDocuments] = []
        self.documents = self._open()

    def _open(self) -> DiskDocuments:
        if self.touched:
            self.unsure |= set(self.model)
            self.touched = False
        return open_documents(self.parent / "documents", size_limit=64 * 2**20, observer=Heard())

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for documents in (*self.crashed, self.documents):
                self.runner.run(documents.aclose())
            self.runner.close()
            shutil.rmtree(self.parent)

    @rule(key=KEYS, value=VALUES)
    def put(self, key: str, value: bytes) -> None:
        self.runner.run(self.documents.put(key, value))
        self.model[key] = value
        self.unsure.discard(key)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        found = self.runner.run(self.documents.get(key))
        expected = self.model.get(key)
        assert found == expected or (found is None and key in self.unsure)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.runner.run(self.documents.delete(key))
        self.model.pop(key, None)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.documents.aclose())
        self.documents = self._open()

    @rule()
    def crash(self) -> None:
        """As if the process were killed: nothing is closed. What was put is with the kernel, and stays."""
        self.crashed.append(self.documents)
        self.documents = self._open()

    @precondition(lambda self: self.database.exists())
    @rule(name=st.sampled_from(["cache.db-journal", "other.db", "00/11/22.val"]), content=st.binary(max_size=100))
    def leave_junk_beside_it(self, name: str, content: bytes) -> None:
        junk = self.database.parent / name
        junk.parent.mkdir(parents=True, exist_ok=True)
        junk.write_bytes(content)
        self._is_touched()

    @precondition(lambda self: self.database.exists())
    @rule(statement=TAMPERING)
    def tamper(self, statement: str) -> None:
        connect = contextlib.closing(sqlite3.connect(self.database, isolation_level=None))
        with connect as other, contextlib.suppress(sqlite3.Error):  # what is gone or doubled cannot be tampered with
            other.execute(statement)
        self._is_touched()

    @precondition(lambda self: self.database.exists())
    @rule()
    def remove_it_all(self) -> None:
        shutil.rmtree(self.parent / "documents")
        self._is_touched()

    def _is_touched(self) -> None:
        self.unsure |= set(self.model)
        self.touched = True


TestDocuments = DocumentsMachine.TestCase
TestDocuments.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
