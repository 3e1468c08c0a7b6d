"""Files of Rubin's pipelines → parents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...exceptions import CorruptModelError, InputError
from ..consistency import sorted_parents
from .blends import MOST_PIXELS, read_parent
from .files import open_document
from .parts import check_version
from .shared import MODEL_VERSIONS, Shared

if TYPE_CHECKING:
    from ...models import ParentModel
    from ..metadata import StoreMetadata

__all__ = ["RubinSummary", "is_rubin_file", "read_rubin_models", "rubin_version"]


@dataclass(frozen=True, slots=True)
class RubinSummary:
    """What a file is.

    Parameters
    ----------
    version : str
        Version of its layout; "" before there were any.
    archive : bool
        Whether it is the archive, not JSON.
    """

    version: str
    archive: bool


def is_rubin_file(path: Path) -> bool:
    """Whether a file is an archive, or JSON that is not of this package's own layout; nothing else is checked."""
    with Path(path).open("rb") as stream:
        start = stream.read(4096)
    if start[:2] == b"PK":
        return True
    return start.lstrip()[:1] == b"{" and b'"meas_deblend.models"' not in start


def rubin_version(path: Path) -> RubinSummary:
    """Version of a file of models.

    Raises
    ------
    ModelError
        If it is none, or of a version that this release does not read.
    """
    with open_document(Path(path)) as document:
        return RubinSummary(check_version(document.root, MODEL_VERSIONS), document.archive is not None)


def read_rubin_models(path: Path) -> tuple[list[ParentModel], StoreMetadata]:
    """Read models that Rubin's pipelines made.

    Each blend gets the PSF that stands beside it, or the one of the whole file; bands that stand in another order are
    brought into that of the file. The PSF's position, where it is told, becomes the parent's ``message``. A blend that
    comes without the spans of its footprint gets its whole box, and the parent's ``warnings`` say so. Isolated
    sources have a footprint and no model, as in the file.

    Parameters
    ----------
    path : Path
        JSON without a version, JSON of version 1.0.0 or 1.0.1, or the archive of 1.0.1; told apart by content.

    Returns
    -------
    list of ParentModel
        By increasing identifier.
    StoreMetadata
        Bands; world coordinates, zero points and units only if this package wrote the file, because the layout has
        no place for them. ``dataclasses.replace`` puts in what is known from elsewhere.

    Raises
    ------
    CorruptModelError
        If the file is damaged, or holds something that makes no model: the message names the file and the key.
    ModelError
        If the file is none of these, or is of a newer version.
    """
    path = Path(path)
    with open_document(path) as document:
        shared = Shared.read(document)
        parents: list[ParentModel] = []
        pixels = 0
        for number, node in document.models():
            parent, boxed = read_parent(number, node, shared)
            pixels += boxed
            if pixels > MOST_PIXELS:
                raise node.error(f"is the blend at which boxes without spans exceed {MOST_PIXELS} pixels")
            parents.append(parent)
    try:
        return list(sorted_parents(_numbered(parents), shared.metadata)), shared.metadata
    except InputError as error:
        raise CorruptModelError(f"{path} is damaged: {error}") from error


def _numbered(parents: list[ParentModel]) -> list[ParentModel]:
    """Give identifiers, above all others, to sources of which the file only counts the number within the blend."""
    every = [source.id for parent in parents for source in parent.sources]
    if min(every, default=0) >= 0:
        return parents
    following = iter(range(max([0, *every, *(parent.id for parent in parents)]) + 1, 2**63))
    out = []
    for parent in parents:
        blends = []
        for blend in parent.blends:
            sources = tuple(replace(s, id=next(following)) if s.id < 0 else s for s in blend.sources)
            blends.append(replace(blend, sources=sources))
        out.append(replace(parent, blends=tuple(blends)))
    return out
