"""Every limit on what a source of advisories may cost."""

from __future__ import annotations

from typing import Final

MAX_RECORD_BYTES: Final = 4 * 2**20  # the largest on PyPI's list is about 0.3 MB
# Of one source, other ecosystems' too; PyPI alone had about 35,000 in 2026, all malicious packages 250,000. So many on
# PyPI take 1 GB, twice that while they are read anew.
MAX_RECORDS: Final = 400_000
MAX_SOURCE_BYTES: Final = 2 * 2**30  # unpacked; PyPI's whole list has about 200 MB
MAX_PROBLEMS: Final = 20  # named one by one; more are counted
MAX_SUMMARY_CHARS: Final = 200
MAX_ID_CHARS: Final = 200
MAX_VERSION_CHARS: Final = 200  # no release that was ever made has more
