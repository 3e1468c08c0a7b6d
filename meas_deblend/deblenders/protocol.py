"""What a deblender is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..geometry import Parent
    from ..image import MultibandExposure
    from ..models import ParentModel

__all__ = ["Deblender"]


@runtime_checkable
class Deblender(Protocol):
    """Gives every peak of a parent its model.

    A deblender states its options as a frozen pydantic model and returns models; re-apportioning, files, flags of
    outcomes, catalogs and parallel runs are the package's.  What it has to keep to:

    * one source per peak, with the peak itself in it, whatever the data: a peak that it cannot model gets a source
      without components;
    * ids of sources and blends count within the parent (a source's is its peak's); whoever stores models gives them
      ids that are unique over a survey;
    * components are at least 0 and finite, and lie in the exposure's frame;
    * the exposure and the parent are only read.

    Attributes
    ----------
    name : str
        What configs and catalogs call it.
    Options : type of pydantic.BaseModel
        Class of ``options``; ``Options()`` gives the defaults.

    Notes
    -----
    Two more attributes count where a class has them: ``requires``, the name of a package without which it is refused
    when it is chosen, and ``starts_threads``, true if what it imports starts threads that do not survive a fork: then
    no parent is deblended before there are worker processes.
    """

    name: ClassVar[str]
    Options: ClassVar[type[BaseModel]]

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: Any) -> ParentModel:
        """Deblend one parent.

        Parameters
        ----------
        exposure : MultibandExposure
            The whole patch.
        parent : Parent
            Footprint, peaks, and what deconvolution found out.
        options : instance of ``Options``

        Returns
        -------
        ParentModel
            ``sources`` in the order of the parent's peaks; ``outcome`` and ``reason`` say whether it is what was
            asked for.
        """
        ...
