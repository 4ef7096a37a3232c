"""Files that people send: checked while they stream in, kept in the storage `attachments`, referred to by rows.

The edge turns an upload into an `Upload` (checked, stored, not yet referred to); an operation takes uploads and makes
them `StoredFile` rows with `record`, so that a refused operation leaves no row. What no row refers to is swept away.

    formats     accepted types and their contents        receiving   from an upload to an `Upload`, and kept ones
    ole2        the container of old office formats      recording   from an `Upload` to a row
    checking    names, sizes, contents                   forms       the field of a form
    streaming   to disk while it arrives                 serving     the download
    sealing     encrypted at rest                        sweeping    what no row refers to
    scanning    ClamAV                                   storing     where a file lies
"""

from koogallery.kernel.files.formats import ACCEPT, FORMATS, MAX_SIZE
from koogallery.kernel.files.forms import HINT, FilesField, FilesForm, FilesInput, refuse_form
from koogallery.kernel.files.receiving import MAX_FILES, keep_token, kept, receive
from koogallery.kernel.files.recording import Upload, record
from koogallery.kernel.files.serving import response
from koogallery.kernel.files.storing import read

__all__ = [
    "ACCEPT", "FORMATS", "HINT", "MAX_FILES", "MAX_SIZE", "FilesField", "FilesForm", "FilesInput", "Upload",
    "keep_token", "kept", "read", "receive", "record", "refuse_form", "response",
]  # fmt: skip
