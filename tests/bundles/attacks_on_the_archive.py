"""Attacks on the archive: what whoever carries a bundle can do to its members, without any key."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from bundles.attack import Attacks, Who
from bundles.support import Genuine, archive, genuine, member
from inbond.bundles import tar

ARCHIVE = Attacks("The archive", Who.CARRIER)

_TYPE, _LINK, _CHECKSUM = 156, 157, slice(148, 156)


def members_of(bundle: Genuine) -> list[tuple[str, bytes]]:
    """All members, read off the genuine bundle."""
    content, at, found = bundle.content, 0, []
    while content[at : at + 512] != bytes(512):
        size = int(content[at + 124 : at + 135], 8)
        found.append((content[at : at + 100].rstrip(b"\0").decode(), content[at + 512 : at + 512 + size]))
        at += 512 + size + -size % 512
    return found


def with_first_blob(bundle: Genuine, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """The bundle with something else in the place of its first blob's member: of its header and its content."""
    members = members_of(bundle)
    name, content = members[2]
    raw = change(tar.header(name, len(content)), content + tar.padding(len(content)))
    return b"".join(member(*one) for one in members[:2]) + raw + archive(members[3:])


def header(block: bytes, at: int, value: bytes) -> bytes:
    """A header with other bytes somewhere and a right checksum."""
    block = block[:at] + value + block[at + len(value) :]
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def of_type(kind: bytes, name: str, content: bytes) -> bytes:
    """A member of a kind that no bundle has."""
    return header(tar.header(name, len(content)), _TYPE, kind) + content + tar.padding(len(content))


def before_first_blob(bundle: Genuine, raw: bytes) -> bytes:
    return with_first_blob(bundle, lambda block, content: raw + block + content)


@ARCHIVE.told("a blob is named `../../../../etc/cron.d/run-me`")
def path_upwards(bundle: Genuine) -> bytes:
    return with_first_blob(
        bundle, lambda block, content: header(block, 0, b"../../../../etc/cron.d/run-me".ljust(100, b"\0")) + content
    )


@ARCHIVE.told("a blob is named `/etc/cron.d/run-me`")
def absolute_path(bundle: Genuine) -> bytes:
    return with_first_blob(
        bundle, lambda block, content: header(block, 0, b"/etc/cron.d/run-me".ljust(100, b"\0")) + content
    )


@ARCHIVE.told("a blob's path is continued in the header's second field for it")
def path_in_the_prefix(bundle: Genuine) -> bytes:
    return with_first_blob(bundle, lambda block, content: header(block, 345, b"/etc/cron.d") + content)


@ARCHIVE.told("a symbolic link to `/etc` lies before the blobs, for a later member to be written through")
def symbolic_link(bundle: Genuine) -> bytes:
    return before_first_blob(bundle, header(of_type(b"2", "blobs", b""), _LINK, b"/etc"))


@ARCHIVE.told("a blob is a hard link to a file of the receiving machine")
def hard_link(bundle: Genuine) -> bytes:
    return with_first_blob(
        bundle, lambda block, content: header(header(block, _TYPE, b"1"), _LINK, b"/etc/shadow") + content
    )


@ARCHIVE.told("a blob is a device")
def device(bundle: Genuine) -> bytes:
    return with_first_blob(bundle, lambda block, content: header(block, _TYPE, b"3") + content)


@ARCHIVE.told("a blob is a named pipe, to make the reader wait for ever")
def named_pipe(bundle: Genuine) -> bytes:
    return with_first_blob(bundle, lambda block, content: header(block, _TYPE, b"6") + content)


@ARCHIVE.told("a directory lies before the blobs")
def directory(bundle: Genuine) -> bytes:
    return before_first_blob(bundle, of_type(b"5", "blobs/", b""))


@ARCHIVE.told("a pax header gives the blob behind it another path")
def pax_path(bundle: Genuine) -> bytes:
    return before_first_blob(bundle, of_type(b"x", "PaxHeaders/blob", b"27 path=/etc/cron.d/run-me\n"))


@ARCHIVE.told("a pax header gives the blob behind it another size, which some readers follow and others do not")
def pax_size(bundle: Genuine) -> bytes:
    return before_first_blob(bundle, of_type(b"x", "PaxHeaders/blob", b"10 size=1\n"))


@ARCHIVE.told("a global pax header lies at the beginning")
def pax_global(bundle: Genuine) -> bytes:
    return of_type(b"g", "pax_global_header", b"10 size=1\n") + bundle.content


@ARCHIVE.told("a long name in GNU's way gives the blob behind it another path")
def gnu_long_name(bundle: Genuine) -> bytes:
    return before_first_blob(bundle, of_type(b"L", "././@LongLink", b"/etc/cron.d/run-me\0"))


@ARCHIVE.told("a blob is a sparse file in GNU's way, of terabytes in a few bytes")
def sparse_file(bundle: Genuine) -> bytes:
    return with_first_blob(bundle, lambda block, content: header(block, _TYPE, b"S") + content)


@ARCHIVE.told("a blob is set-uid")
def set_uid(bundle: Genuine) -> bytes:
    return with_first_blob(bundle, lambda block, content: header(block, 100, b"0004755\0") + content)


@ARCHIVE.told("a blob has an owner and a time, in which something could be hidden")
def owner_and_time(bundle: Genuine) -> bytes:
    return with_first_blob(
        bundle, lambda block, content: header(header(block, 108, b"0001750\0"), 136, b"14000000000\0") + content
    )


@ARCHIVE.told("a blob's header says a size of eight exbibytes")
def enormous_blob(bundle: Genuine) -> bytes:
    return with_first_blob(
        bundle, lambda block, content: header(block, 124, b"\x80" + bytes(3) + b"\x7f" * 8) + content
    )


@ARCHIVE.told("a blob's size is told in another spelling, which not every reader knows")
def size_in_another_spelling(bundle: Genuine) -> bytes:
    size = len(members_of(bundle)[2][1])
    return with_first_blob(
        bundle, lambda block, content: header(block, 124, b"\x80" + size.to_bytes(11, "big")) + content
    )


@ARCHIVE.told("a blob's header says one byte less than it has")
def shorter_blob(bundle: Genuine) -> bytes:
    size = len(members_of(bundle)[2][1])
    return with_first_blob(bundle, lambda block, content: header(block, 124, b"%011o\0" % (size - 1)) + content)


@ARCHIVE.told("a blob grows by a block, and its header says so")
def longer_blob(bundle: Genuine) -> bytes:
    return changed(bundle, 2, lambda name, content: (name, content + b"#" * 512))


def changed(bundle: Genuine, number: int, change: Callable[[str, bytes], tuple[str, bytes]]) -> bytes:
    """The bundle with one member changed, all in good form."""
    members = members_of(bundle)
    members[number] = change(*members[number])
    return archive(members)


@ARCHIVE.told("a file's bytes are exchanged for as many others")
def other_bytes(bundle: Genuine) -> bytes:
    return changed(bundle, -1, lambda name, content: (name, b"#" * len(content)))


@ARCHIVE.told("two files exchange their places")
def places_exchanged(bundle: Genuine) -> bytes:
    *members, one, other = members_of(bundle)
    return archive([*members, other, one])


@ARCHIVE.told("two files exchange their bytes under their names")
def bytes_exchanged(bundle: Genuine) -> bytes:
    *members, (one, its), (other, others) = members_of(bundle)
    return archive([*members, (one, others), (other, its)])


@ARCHIVE.told("a file is left out")
def file_left_out(bundle: Genuine) -> bytes:
    return archive(members_of(bundle)[:-1])


@ARCHIVE.told("a page is left out")
def page_left_out(bundle: Genuine) -> bytes:
    members = members_of(bundle)
    return archive([*members[:2], *members[3:]])


@ARCHIVE.told("a blob lies there twice")
def blob_twice(bundle: Genuine) -> bytes:
    members = members_of(bundle)
    return archive([*members, members[-1]])


@ARCHIVE.told("a blob that the manifest does not name lies behind the others")
def one_blob_more(bundle: Genuine) -> bytes:
    return archive([*members_of(bundle), (tar.blob_name("f" * 64), b"more")])


@ARCHIVE.told("a file of another name lies behind the blobs, for whoever unpacks the archive with tar")
def one_member_more(bundle: Genuine) -> bytes:
    return archive([*members_of(bundle), ("install.sh", b"#!/bin/sh\n")])


@ARCHIVE.told("a second manifest lies behind the first")
def manifest_twice(bundle: Genuine) -> bytes:
    signature, manifest, *blobs = members_of(bundle)
    return archive([signature, manifest, manifest, *blobs])


@ARCHIVE.told("a second signature and manifest lie at the end, where the last of a name counts for tar")
def manifest_again_at_the_end(bundle: Genuine) -> bytes:
    members = members_of(bundle)
    return archive([*members, *members_of(genuine("evil"))[:2]])


@ARCHIVE.told("the manifest lies before the signature")
def manifest_first(bundle: Genuine) -> bytes:
    signature, manifest, *blobs = members_of(bundle)
    return archive([manifest, signature, *blobs])


@ARCHIVE.told("something is hidden in the bytes that fill a block")
def hidden_in_the_padding(bundle: Genuine) -> bytes:
    size = -len(members_of(bundle)[2][1]) % 512
    return with_first_blob(bundle, lambda block, content: block + content[:-size] + b"#" * size)


@ARCHIVE.told("the end is cut off, within a file")
def cut_within_a_file(bundle: Genuine) -> bytes:
    return bundle.content[: -len(tar.END) - 600]


@ARCHIVE.told("the end is cut off, behind a file")
def cut_behind_a_file(bundle: Genuine) -> bytes:
    return bundle.content[: -len(tar.END)]


@ARCHIVE.told("the last of the two blocks that end an archive is cut off")
def cut_within_the_end(bundle: Genuine) -> bytes:
    return bundle.content[:-512]


@ARCHIVE.told("all is cut off behind the manifest")
def cut_behind_the_manifest(bundle: Genuine) -> bytes:
    signature, manifest, *_ = members_of(bundle)
    return member(*signature) + member(*manifest)


@ARCHIVE.told("zeros follow the end, as tar itself writes them")
def zeros_behind_the_end(bundle: Genuine) -> bytes:
    return bundle.content + bytes(9216)


@ARCHIVE.told("another archive follows the end")
def another_archive_behind(bundle: Genuine) -> bytes:
    return bundle.content + archive([("install.sh", b"#!/bin/sh\n")])


@ARCHIVE.told("another genuine bundle follows the end")
def another_bundle_behind(bundle: Genuine) -> bytes:
    return bundle.content + genuine("late").content


@ARCHIVE.told("the bundle is compressed, so that little becomes much")
def compressed(bundle: Genuine) -> bytes:
    return gzip.compress(bundle.content + bytes(2**20), mtime=0)


@ARCHIVE.told("the signature is said to have eight gibibytes")
def enormous_signature(bundle: Genuine) -> bytes:
    return tar.header(tar.SIGNATURE_NAME, 8**11 - 1) + bundle.content[512:]


@ARCHIVE.told("it is an archive of something else")
def something_else(bundle: Genuine) -> bytes:
    return archive(bundle.carried)


@ARCHIVE.told("it is the page of a portal where one must sign in")
def a_web_page(bundle: Genuine) -> bytes:
    return b"<!doctype html><title>Sign in</title>".ljust(1024)


@ARCHIVE.told("it is empty")
def nothing(bundle: Genuine) -> bytes:
    return b""
