"""Limits on what a look into an archive may cost. What is over one is odd, not overlooked: padding must not help.

Under all of them together the worst archive takes less time than the 5 s after which a look is given up.
"""

from __future__ import annotations

from typing import Final

# The largest wheels known hold some 40,000 files. At about 20 µs each these cost 2 s.
MAX_ENTRIES: Final = 100_000
# About 100 bytes an entry; room for names of twice the usual length.
MAX_DIRECTORY_BYTES: Final = 32 * 2**20
# What file systems take as a whole path.
MAX_NAME_BYTES: Final = 4096
# What is taken from an index as core metadata (`inbond.upstream.limits`).
MAX_METADATA_BYTES: Final = 16 * 2**20
# A row has about 100 bytes, for each of `MAX_ENTRIES`.
MAX_RECORD_BYTES: Final = 32 * 2**20
# One field of RECORD: a path or a digest.
MAX_RECORD_FIELD_CHARS: Final = 2 * MAX_NAME_BYTES
# As PyPI has it: an archive that claims to grow beyond both is refused.
MAX_RATIO: Final = 50
RATIO_FROM_BYTES: Final = 64 * 2**20
# Entries between two questions whether to give up: about 1 ms.
STRIDE: Final = 128
# Reasons that are kept of one archive, and characters of a name that one quotes.
MAX_REASONS: Final = 4
QUOTED_CHARS: Final = 60
