"""The two use cases, "a page" and "a file", composed from the rooms above it."""
