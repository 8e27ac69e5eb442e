"""Taking files over into the cache that the configuration names, and what is printed of it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Final

from inbond.cli.config import Config
from inbond.cli.quota import Quota
from inbond.cli.storing import space_of
from inbond.cli.transfer_progress import transferring
from inbond.mirror.adopting import Adopter, Adoption, Candidate, candidates_below
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.store.files import unavailable
from inbond.store.taking_over import BlobTaker, How

__all__ = ["How", "adopted", "as_json", "as_text", "exit_code"]

ALL: Final = 0
SOME: Final = 1
MAX_SHOWN: Final = 20  # of what was passed over; JSON has it all


def adopted(config: Config, directory: Path, how: How) -> Adoption:
    """Takes the files over. Raises `OperatorFault`."""
    try:
        with closing(BlobTaker(config.storage.cache_dir / "blobs")) as taker:
            found = candidates_below(directory)
            space = space_of(config.storage)
            there = taker.stored_bytes()
            room = Quota(config.storage).files(there) - there
            if how is How.COPY:  # the others take no more of the disk than before
                room = min(room, space.free() - space.kept_free())
            adopter = Adopter(taker=taker, how=how, room=max(0, room))
            size = sum(one.size for one in found.candidates)
            with transferring("adopting", files=len(found.candidates), size=size) as progress:

                def done(candidate: Candidate) -> None:
                    progress.bytes(candidate.size)
                    progress.file(candidate.path.name)

                return adopter.adopt(directory, found, done)
    except OSError as error:
        raise unavailable("take over files into the cache", error) from error


def exit_code(adoption: Adoption) -> int:
    """0 or 1, as the help says."""
    return SOME if adoption.skipped or adoption.no_room else ALL


def as_text(adoption: Adoption) -> str:
    """For people."""
    taken = f"{counted(adoption.new, 'file')} taken over, {format_size(adoption.size)}"
    lines = [f"{printable(str(adoption.directory))}: {taken}; {adoption.there:,} were in the cache already"]
    if adoption.no_room:
        what = counted(adoption.no_room, "file")
        lines.append(f"  {what} left: the cache's limit would have others removed; raise max_size under [storage]")
    lines += [f"  passed over {printable(str(one.path))}: {one.reason}" for one in adoption.skipped[:MAX_SHOWN]]
    if len(adoption.skipped) > MAX_SHOWN:
        lines.append(f"  and {len(adoption.skipped) - MAX_SHOWN:,} more (--format json)")
    return "\n".join(lines)


def as_json(adoption: Adoption) -> str:
    """For programs."""
    said = {
        "directory": str(adoption.directory),
        "new": adoption.new,
        "size": adoption.size,
        "there": adoption.there,
        "no_room": adoption.no_room,
        "skipped": [{"path": str(one.path), "reason": one.reason} for one in adoption.skipped],
    }
    return json.dumps(said, indent=2)
