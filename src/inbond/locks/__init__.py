"""Lock files and requirements: what they name, read from bytes, and their file URLs rewritten. Pure, no I/O."""
