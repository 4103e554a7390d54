"""Content-addressed bytes: dataset files, model weights, reports."""

from bailiwick.blobs.store import BlobStore, CorruptBlob, file_digest

__all__ = ["BlobStore", "CorruptBlob", "file_digest"]
