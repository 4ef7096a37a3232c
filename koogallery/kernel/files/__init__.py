"""Files that people send: checked while they stream in, kept in the storage `attachments`, referred to by rows.

The edge turns an upload into an `Upload` (checked, stored, not yet referred to); an operation takes uploads and makes
them `StoredFile` rows with `record`, so that a refused operation leaves no row. What no row refers to is swept away.
"""

from koogallery.kernel.files.recording import Upload, record

__all__ = ["Upload", "record"]
