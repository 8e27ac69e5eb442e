"""OSV records: read, joined into one immutable set, and asked. Pure: bytes in, values out."""
