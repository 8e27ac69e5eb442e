"""inbond: a caching, verifying proxy in front of a Python package index."""

__version__ = "0.1.0"
