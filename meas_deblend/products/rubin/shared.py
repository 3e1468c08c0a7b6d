"""What a file says once for all its blends, and what a blend says differently: bands and PSFs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exceptions import ModelError
from ..metadata import StoreMetadata
from .extras import EXTRAS
from .node import COORDINATE_LIMIT
from .parts import check_version, metadata_array, odd_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .files import Document
    from .node import Node

__all__ = ["MODEL_VERSIONS", "Shared", "View", "band_order", "metadata_of", "view_of"]

MODEL_VERSIONS = ("1.0.0", "1.0.1")
_MODEL_TYPES = ("lsst", "scarlet_model")


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What is true of all blends of a file that do not say otherwise.

    Parameters
    ----------
    bands : tuple of str
        Bands of the store.
    psfs : float array (band, h, w), optional
        None if each blend has its own.
    model_psf : float array (h, w), optional
        None if there is none.
    metadata : StoreMetadata
        Of the store.
    """

    bands: tuple[str, ...]
    psfs: NDArray[Any] | None
    model_psf: NDArray[Any] | None
    metadata: StoreMetadata

    @classmethod
    def read(cls, document: Document) -> Shared:
        """Read the metadata of a file.

        Raises
        ------
        ModelError
            If it is not a file of such models, or is of a newer version.
        """
        root = document.root
        if root.get("type") is not None and root.get("blends") is None:
            raise ModelError(f"{document.path} is of type {root['type'].value!r}, not a file of Rubin's models")
        kind = root.get("model_type")
        if kind is not None:
            kind.text(_MODEL_TYPES)
        version = check_version(root, MODEL_VERSIONS)
        if document.archive is None and root.get("blends", "isolated") is None:
            raise ModelError(f"{document.path} is not a file of Rubin's models: it has neither blends nor isolated")
        metadata = metadata_of(root)
        bands = metadata.get("bands") or _first_bands(document)
        if bands is None:
            raise ModelError(f"{document.path} names no bands, neither in its metadata nor in its first blend")
        names = _band_names(bands)
        model_psf = metadata_array(metadata, "model_psf", 2)
        if model_psf is None and not version:
            # Before there were versions, "psf" at the top was the model PSF.
            model_psf = metadata_array(root, "psf", 2)
        return cls(
            bands=names,
            psfs=_psf_cube(metadata, len(names)),
            model_psf=None if model_psf is None else odd_stamp(model_psf),
            metadata=_store_metadata(metadata.get(EXTRAS), names, version, document),
        )


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """How one blend was seen: its PSFs (band, h, w) in the order of the store, and what is told about them."""

    psfs: NDArray[Any]
    message: str = ""


def metadata_of(node: Node) -> Node:
    """Metadata of a model, a blend or a source; an empty object without."""
    return node.get("metadata") or node.child("metadata", {})


def band_order(nodes: tuple[Node, ...], shared: Shared) -> NDArray[np.intp]:
    """Where the bands of the store are in the lists of a blend.

    Parameters
    ----------
    nodes : tuple of Node
        The blend and what it is in, from the inside out; the first that names bands counts.
    shared : Shared
    """
    for node in nodes:
        bands = node.get("bands") or metadata_of(node).get("bands")
        if bands is not None:
            names = _band_names(bands)
            if set(names) != set(shared.bands):
                raise bands.error(f"is {', '.join(names)}; the file's bands are {', '.join(shared.bands)}")
            return np.array([names.index(band) for band in shared.bands], dtype=np.intp)
    return np.arange(len(shared.bands), dtype=np.intp)


def view_of(nodes: tuple[Node, ...], shared: Shared) -> View:
    """Find the PSFs of a blend: the first of ``nodes`` that has any beside it or in its metadata, else the file's."""
    for node in nodes:
        about = node if node.get("psf") is not None else metadata_of(node)
        psfs = _psf_cube(about, len(shared.bands))
        if psfs is None:
            continue
        psfs = odd_stamp(psfs)[band_order((node,), shared)]
        missing = about.get("psf_missing")
        for band in () if missing is None else missing.texts():
            psfs[shared.bands.index(band) if band in shared.bands else []] = np.nan
        center = node.get("psf_center")
        if center is None:
            return View(psfs)
        x, y = center.position()
        return View(psfs, f"PSF at (y, x) = ({y:.2f}, {x:.2f})")
    if shared.psfs is None:
        raise nodes[0].error("has no PSF, and there is none in the metadata of the file")
    return View(odd_stamp(shared.psfs))


def _first_bands(document: Document) -> Node | None:
    for _, node in document.models():
        return node.get("bands") or metadata_of(node).get("bands")
    return None


def _band_names(node: Node) -> tuple[str, ...]:
    names = node.texts()
    if not names or len(set(names)) != len(names):
        raise node.error(f"must name bands once each, and at least one; it is {', '.join(names)[:80]!r}")
    return names


def _psf_cube(metadata: Node, n_bands: int) -> NDArray[Any] | None:
    psfs = metadata_array(metadata, "psf", 3)
    if psfs is not None and len(psfs) != n_bands:
        raise metadata["psf"].error(f"holds {len(psfs)} PSFs for {n_bands} bands")
    return psfs


def _store_metadata(extras: Node | None, bands: tuple[str, ...], version: str, document: Document) -> StoreMetadata:
    if extras is not None:
        for name in ("wcs", "units"):
            extras[name].text()
        extras["shape"].integers(2, 0, COORDINATE_LIMIT)
        for entry in extras["zeropoints"].entries():
            if entry.value is not None:
                entry.number()
        for _, entry in extras["provenance"].items():
            entry.text()
        return replace(StoreMetadata.from_dict(extras.mapping(), extras.where), bands=bands)
    kind = "archive" if document.archive is not None else "JSON"
    origin = f"{Path(document.path).name}, {kind} {f'of version {version}' if version else 'without a version'}"
    return StoreMetadata(bands, provenance={"imported_from": origin})
