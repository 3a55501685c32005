"""Files that lie in memory and have no name."""

import os
import tempfile


def create_memory_file() -> int:
    """Its descriptor, which is the caller's to close."""
    # memfd is not bounded by /dev/shm, which containers keep at 64 MB.
    if hasattr(os, "memfd_create"):
        return os.memfd_create("folio-pages")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
