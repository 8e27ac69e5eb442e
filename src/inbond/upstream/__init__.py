"""The only code that talks to an index: pages, the project list, files, core metadata, provenance.

Upstream is not trusted. Held here for whoever calls: every body has a byte limit that is enforced while it is read
and decompressed; nothing is fetched from an address that the operator did not point at; credentials go to the
origin they were given for and nowhere else; every wait ends; and an error is one of `inbond.model.errors`.
"""
