"""Whether models fit each other and the store that is to hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import InputError
from ..models import FactorizedComponent, TemplateComponent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import AnyComponent, BlendModel, ParentModel, SourceModel
    from .metadata import StoreMetadata

__all__ = ["check_parent", "checked_parents", "sorted_parents"]

_LARGEST = 2**63 - 1


def sorted_parents(parents: Iterable[ParentModel], metadata: StoreMetadata) -> tuple[ParentModel, ...]:
    """Parents by increasing id, checked.

    Parameters
    ----------
    parents : iterable of ParentModel
        In any order.
    metadata : StoreMetadata
        Names the bands that their spectra, templates and PSFs must have.

    Raises
    ------
    InputError
        If an id is not 1 … 2⁶³ − 1 or belongs to two things, a peak has not exactly one source, or an array or a
        source's point-source fits have another number of bands.
    """
    return tuple(checked_parents(sorted(parents, key=lambda parent: parent.id), metadata))


def checked_parents(parents: Iterable[ParentModel], metadata: StoreMetadata) -> Iterator[ParentModel]:
    """Pass on parents one by one, as soon as each is checked; of those that are gone, only identifiers are held.

    Raises
    ------
    InputError
        As `sorted_parents`.
    """
    owners: dict[int, int] = {}
    for parent in parents:
        _claim(owners, parent.id, parent)
        check_parent(parent, metadata.bands)
        for source in parent.sources:
            # An isolated object is its own parent, and has its id.
            if not (source.id == parent.id and len(parent.sources) == 1):
                _claim(owners, source.id, parent)
        yield parent


def check_parent(parent: ParentModel, bands: tuple[str, ...]) -> None:
    """Check one parent by itself.

    Raises
    ------
    InputError
        If a peak has not exactly one source with the same peak, or an array or a source's point-source fits have
        another number of bands.
    """
    _check_sources(parent)
    _check_arrays(parent, bands)


def _claim(owners: dict[int, int], identifier: int, parent: ParentModel) -> None:
    if not 1 <= identifier <= _LARGEST:
        raise InputError(f"identifiers must be 1 … {_LARGEST}, got {identifier} in parent {parent.id}")
    if identifier in owners:
        raise InputError(f"the identifier {identifier} is used twice, in parents {owners[identifier]} and {parent.id}")
    owners[identifier] = parent.id


def _check_sources(parent: ParentModel) -> None:
    peaks = sorted(peak.id for peak in parent.footprint.peaks)
    sources = sorted(source.peak.id for blend in parent.blends for source in blend.sources)
    if peaks != sources or len(set(peaks)) != len(peaks):
        raise InputError(
            f"parent {parent.id} must have one source per peak; it has peaks {peaks}, sources of {sources}"
        )
    by_id = {peak.id: peak for peak in parent.footprint.peaks}
    for source in (source for blend in parent.blends for source in blend.sources):
        own, listed = source.peak, by_id[source.peak.id]
        # Peaks are compared as they read, because a height of NaN is not equal to itself.
        if own is not listed and repr(own) != repr(listed):
            raise InputError(f"object {source.id} has {own}, but the footprint of parent {parent.id} lists {listed}")


def _check_arrays(parent: ParentModel, bands: tuple[str, ...]) -> None:
    if parent.psfs.ndim != 3 or parent.psfs.shape[0] != len(bands):
        raise InputError(f"parent {parent.id} has PSFs of shape {parent.psfs.shape} for bands {', '.join(bands)}")
    for blend in parent.blends:
        _check_covariance(blend, len(bands))
        if blend.psfs is not None and (blend.psfs.ndim != 3 or len(blend.psfs) != len(bands)):
            raise InputError(f"blend {blend.id} has PSFs of shape {blend.psfs.shape} for bands {', '.join(bands)}")
    for source in (source for blend in parent.blends for source in blend.sources):
        if len(source.psf_fits) not in (0, len(bands)):
            raise InputError(
                f"object {source.id} has {len(source.psf_fits)} point-source fits for bands {', '.join(bands)}: "
                "there must be one per band (None where none was made), or none at all"
            )
        for component in source.components:
            _check_component(component, source, len(bands))
            if parent.model_psf is None and not isinstance(component, TemplateComponent):
                raise InputError(f"object {source.id} has a factorized component, but parent {parent.id} no model PSF")


def _check_covariance(blend: BlendModel, n_bands: int) -> None:
    n = len(blend.sources)
    if blend.flux_covariance is not None and blend.flux_covariance.shape != (n_bands, n, n):
        raise InputError(
            f"blend {blend.id} has a flux covariance of shape {blend.flux_covariance.shape}; "
            f"(band, source, source) is {(n_bands, n, n)}"
        )


def _check_component(component: AnyComponent, source: SourceModel, n_bands: int) -> None:
    if isinstance(component, TemplateComponent):
        fits = component.cube.shape == (n_bands, *component.box.shape)
    else:
        fits = component.spectrum.shape == (n_bands,)
    if isinstance(component, FactorizedComponent):
        fits = fits and component.morph.shape == component.box.shape
    if not fits:
        raise InputError(f"a component of object {source.id} does not fit {component.box} in {n_bands} bands")
