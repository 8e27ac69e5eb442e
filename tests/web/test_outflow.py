"""Files go into sockets as those take them: whole, in order, and where the file system knows no sendfile."""

from __future__ import annotations

import asyncio
import errno
import os
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from pathlib import Path

import pytest

from inbond.cli.descriptors import OF_A_CONNECTION
from inbond.gateway.blobs_at_hand import SMALL_BYTES
from raw_client import raw
from sim.index import SimIndex
from stack import inbond

LARGE = 5 * 2**20  # more than a socket takes in
SMALLEST = SMALL_BYTES + 1  # that is sent from its disk


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_connection_goes_on_after_a_file_that_it_took_bit_by_bit(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy, raw(proxy, narrow=True) as client:
            await proxy.get(wheel.path)
            client.writer.write(client.head(wheel.path) + client.head("/-/live"))
            assert (await client.answer()).body == wheel.content
            assert (await client.answer()).status == 200


async def test_what_waits_in_front_of_a_file_goes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimIndex() as index:
        small, large = index.add_wheel("demo", "1.0", size=SMALLEST), index.add_wheel("demo", "2.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy, raw(proxy, narrow=True) as client:
            for wheel in (small, large):
                await proxy.get(wheel.path)
                with monkeypatch.context() as full:  # as if the headers had not all gone yet
                    full.setattr(_SelectorSocketTransport, "get_write_buffer_size", lambda _self: 1)
                    assert (await client.ask(client.head(wheel.path))).body == wheel.content


async def test_a_file_system_without_sendfile_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=700_000)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            monkeypatch.setattr(os, "sendfile", unknown)
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)


async def test_a_client_that_ends_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            numbers = open_files()
            async with raw(proxy, narrow=True) as client:
                client.writer.write(client.head(wheel.path))
                await client.reader.readexactly(100_000)
                assert open_files() - numbers == OF_A_CONNECTION + 1  # the client's own
            while open_files() > numbers:
                await asyncio.sleep(0.01)
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
