"""Limits on what a look into an archive may cost. What is over one is odd, not overlooked: padding must not help.

Each bounds one way to make a look long. All of them at once take some 12 s of a processor, which is less than the 20 s
after which a look is given up; and what was found until then counts (`inbond.archive.inspect`).
"""

from __future__ import annotations

from typing import Final

# The largest wheels known hold some 40,000 files. At about 20 µs each these cost 2 s.
MAX_ENTRIES: Final = 100_000
# About 100 bytes an entry; room for names of twice the usual length.
MAX_DIRECTORY_BYTES: Final = 32 * 2**20
# What file systems take as a whole path.
MAX_NAME_BYTES: Final = 4096
# Parts of a path. Honest ones have about ten.
MAX_NAME_PARTS: Final = 64
# Extra fields of one header, about 0.3 µs each. Tools write one to four.
MAX_EXTRA_FIELDS: Final = 8
# Extra fields of all local headers together, which the size of the directory does not bound.
MAX_EXTRA_BYTES: Final = 32 * 2**20
# What is taken from an index as core metadata (`inbond.upstream.limits`).
MAX_METADATA_BYTES: Final = 16 * 2**20
# METADATA up to its first empty line, which may hold a README in its old place.
MAX_HEAD_BYTES: Final = 2**20
# A name or a version that METADATA gives.
MAX_VALUE_CHARS: Final = 512
# A row has about 100 bytes, for each of `MAX_ENTRIES`.
MAX_RECORD_BYTES: Final = 32 * 2**20
# One field of RECORD: a path or a digest.
MAX_RECORD_FIELD_CHARS: Final = 2 * MAX_NAME_BYTES
# A path with every character in quotes, and room for the rest.
MAX_RECORD_LINE_BYTES: Final = 4 * MAX_NAME_BYTES
# Lines of RECORD: for each entry two, as some tools write rows twice, and these.
SPARE_RECORD_LINES: Final = 64
# Deflated bytes of all files whose lengths stand behind them: they are searched, at 2 GB/s where they are
# honest and at 80 MB/s where they are made for it.
MAX_SEARCHED_BYTES: Final = 512 * 2**20
# What those may grow to in which something was found that may be a header: they are inflated, at about 300 MB/s.
MAX_SETTLED_BYTES: Final = 256 * 2**20
# What an empty file may take: an empty deflate stream, flushed once or twice. No header is so short.
MAX_EMPTY_BYTES: Final = 16
# As PyPI has it: an archive that claims to grow beyond both is refused.
MAX_RATIO: Final = 50
RATIO_FROM_BYTES: Final = 64 * 2**20
# Entries between two questions whether to give up: about 1 ms.
STRIDE: Final = 128
# Reasons that are kept of one archive, and characters of a name that one quotes.
MAX_REASONS: Final = 4
QUOTED_CHARS: Final = 60
