"""What the findings of `inbond check` about a lock mean, by their ids, as `inbond.policy.meanings` has the policy's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from inbond.policy.meanings import Meaning

MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType({
    "bypass/past-inbond": Meaning(
        says="… file URL… lead… to …: an install from this lock goes past inbond",
        means="The lock holds addresses of the index itself, and installers go there without asking inbond.",
        lifted_by="`inbond relock`, or locking anew through inbond",
    ),
    "bypass/unknown-host": Meaning(
        says="… file URL… lead… to …, to a host that no page of the index names",
        means="Somebody put an address into the lock that the index does not use.",
        lifted_by="finding out who, and locking anew through inbond",
    ),
    "digest/not-as-locked": Meaning(
        says="…: the lock says …, the index …",
        means="The lock and the index mean different bytes by one filename: one of the two was replaced.",
        lifted_by="finding out which, before anything is installed",
    ),
    "no-sha256/from-elsewhere": Meaning(
        says="the lock takes … from …, by no digest that the index knows",
        means="Installers get the file from somewhere else than was checked, and nothing says that it is the same.",
        lifted_by="locking anew, with hashes, through inbond",
    ),
    "no-sha256/not-locked": Meaning(
        says="the lock gives no sha256 of …: other bytes may be installed than were checked",
        means="The lock names a file and not its bytes.",
        lifted_by="locking anew, with hashes",
    ),
    "not-listed/file": Meaning(
        says="the index does not list …",
        means="The lock names a file that the index does not have, or has no more.",
        lifted_by="locking anew",
    ),
    "not-listed/not-carried": Meaning(
        says="no file of … that this means was carried over with the bundles imported so far",
        means="The index lists the files, and on this side of the air gap there are none of them.",
        lifted_by="adding it to what is synced, and importing the bundle that is made then",
    ),
    "not-listed/nothing-fits": Meaning(
        says="the index lists nothing that fits …",
        means="No version that an installer could take is on the index.",
        lifted_by="asking for other versions",
    ),
    "not-listed/project": Meaning(
        says="no upstream of index … has a project …",
        means="It is misspelt, or comes from an index that inbond does not stand in front of.",
        lifted_by="the right name, or another upstream",
    ),
    "not-listed/release": Meaning(
        says="the index lists no file of …",
        means="The release was removed, or comes from another index.",
        lifted_by="locking anew",
    ),
    "other-index/besides": Meaning(
        says="it asks …, an index besides the one that it is told to use",
        means="Whoever can upload there can offer a higher version of anything.",
        lifted_by="making it an upstream of inbond, and naming inbond alone",
    ),
    "other-index/instead": Meaning(
        says="it asks …, an index that inbond does not stand in front of",
        means="What comes from there was not checked.",
        lifted_by="making it an upstream of inbond, and naming inbond alone",
    ),
    "other-release/file": Meaning(
        says="the lock says …, its file … is of …",
        means="The lock's version and its file do not belong together.",
        lifted_by="locking anew",
    ),
    "unpinned/no-version": Meaning(
        says="… requirement… without a version: …",
        means="What is installed may change from one day to the next.",
        lifted_by="a lock: `uv pip compile`, or pip-compile",
    ),
})  # fmt: skip
