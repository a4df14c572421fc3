"""What `zipfile` and its decompressors raise for damaged archives."""

import lzma
import struct
import zipfile
import zlib

ZIP_DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    LookupError,
    ValueError,
    OverflowError,
    RuntimeError,
    struct.error,
)
"""Errors beside OSError, which each reader judges by its number."""
