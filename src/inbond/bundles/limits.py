"""Limits on a bundle: what is over one is refused before it is read, so that nobody's bundle fills memory or disk.

In bytes, or in counts. Those of pages, metadata, provenance and files are not below what inbond takes of an upstream:
what can be synced can be carried.
"""

from __future__ import annotations

from typing import Final

CHUNK_BYTES: Final = 2**20  # what is read and handed on at once

MAX_SIGNATURE_BYTES: Final = 4096  # one takes less than 300
MAX_MANIFEST_BYTES: Final = 64 * 2**20  # some 460 bytes a file with its blobs: of 140,000 files
MAX_KEY_FILE_BYTES: Final = 16 * 1024

MAX_UPSTREAMS: Final = 1_000
MAX_PROJECTS: Final = 100_000
MAX_FILES: Final = 400_000  # of all projects together
MAX_DOCUMENTS: Final = 10_000
MAX_BLOBS: Final = 500_000

MAX_PAGE_BYTES: Final = 64 * 2**20  # what the store keeps of a page at most
MAX_MEMORY_BYTES: Final = 64 * 2**20  # 150 bytes a file; pages list at most 100,000
MAX_METADATA_BYTES: Final = 16 * 2**20
MAX_PROVENANCE_BYTES: Final = 2**20
MAX_DOCUMENT_BYTES: Final = 64 * 2**20
MAX_ADVISORIES_BYTES: Final = 512 * 2**20
MAX_FILE_BYTES: Final = 16 * 2**30

MAX_URL_CHARS: Final = 2048
