"""The values every other room speaks in: frozen, total, without I/O.

Invariants held here and relied on everywhere: a `ProjectName` is normalised, a `Filename` is one safe path
segment, a sha256 is 64 lower-case hex digits, and a time is aware and in UTC.
"""
