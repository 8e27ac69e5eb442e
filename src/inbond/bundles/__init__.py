"""Bundles: what carries a part of an index across an air gap, in one signed file. Pure: bytes in, values out.

The container holds a signature, a manifest and blobs, in this order; the manifest names everything by its sha256.
docs/bundles.md describes the format.
"""
