"""Models of Rubin's pipelines: files of scarlet models, read into this package's values, and written from them.

Read are the JSON text without a version (as the pipelines wrote it up to 2025), JSON of the versions 1.0.0 and 1.0.1,
and the archive of 1.0.1 (a zip file of JSON texts); written is the archive.
"""

from .reader import RubinSummary, is_rubin_file, read_rubin_models, rubin_version
from .writer import write_rubin_models

__all__ = ["RubinSummary", "is_rubin_file", "read_rubin_models", "rubin_version", "write_rubin_models"]
