"""What makes a task of ours a PipelineTask of Rubin's: connections, config and quanta, from its own declarations."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar

import lsst.pex.config as pex
import lsst.pipe.base as pipe
from lsst.pipe.base import connectionTypes

from meas_deblend.exceptions import NoWorkFoundError
from meas_deblend.framework import Workplace, working
from meas_deblend.image import read_sources

from .bridge import config_body, model_from, set_values
from .coadds import from_band_images
from .codecs import CODECS, Made
from .records import read_records
from .survey import survey_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meas_deblend.framework import Config, Connection, PipelineTask

__all__ = ["DIMENSIONS", "RubinTask"]

DIMENSIONS = ("skymap", "tract", "patch")
"""Of every quantum: a patch. The sky map is named: a tract's number means nothing without it."""

_COADDS, _SOURCES = "coadds", "source_list"
_BY_HAND = ("selection", "edits")
"""Inputs that people give from run to run; in a repository a subset of patches is chosen with a query instead."""

_TEMPLATES = {"prefix": "meas_deblend", "coadd": "deep_coadd"}


class RubinTask(pipe.PipelineTask):
    """Runs a task of ours on a patch of a repository; subclasses name it: ``class X(RubinTask, light=X)``.

    Config and connections are made of what the task declares. Parameters are those of `lsst.pipe.base.PipelineTask`.
    """

    ConfigClass = pipe.PipelineTaskConfig
    _DefaultName = "meas_deblend"
    light: ClassVar[type[PipelineTask[Any]]]

    def __init_subclass__(cls, *, light: type[PipelineTask[Any]], **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.light = light
        cls.ConfigClass = _config_class(cls.__name__, cls.__module__, light)
        cls._DefaultName = light().label
        # Saved configs name the module and the class.
        setattr(sys.modules[cls.__module__], cls.ConfigClass.__name__, cls.ConfigClass)

    def settings(self, data_id: Mapping[str, Any] | None = None) -> Config:
        """Return the settings as our model; tract and patch are those of a data ID, where the task has such settings.

        Identifiers are made from them: two patches must not have the same.
        """
        model = model_from(self.config, self.light.ConfigClass)
        names = [name for name in ("tract", "patch") if name in type(model).model_fields]
        return model if data_id is None else model.model_copy(update={name: data_id[name] for name in names})

    def run(self, **inputs: Any) -> pipe.Struct:
        """Run on values in memory, by connection: those that our task takes.

        Returns
        -------
        lsst.pipe.base.Struct
            What our task returns.
        """
        made = self._execute(self.settings(), inputs)
        return pipe.Struct(**{one.name: getattr(made, one.name) for one in self.light.connections.outputs})

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:  # noqa: N802 - Rubin's names
        """Read a patch's datasets, run, and write what was made."""
        settings = self.settings(butlerQC.quantum.dataId)
        inputs = self._read(butlerQC, inputRefs)
        with working(Workplace(butlerQC.resources.num_cores)):
            outputs = self._execute(settings, inputs)
        for one in self.light.connections.outputs:
            value, ref = getattr(outputs, one.name), getattr(outputRefs, one.name)
            if value is not None:
                made = Made(self.light, settings, one.name, inputs)
                butlerQC.put(CODECS[one.storage].write(value, made), ref)

    def _execute(self, settings: Config, inputs: Mapping[str, Any]) -> Any:
        try:
            with _logged_as(self.getName()):
                result = self.light(settings, label=self.getName()).execute(inputs)
        except NoWorkFoundError as error:
            raise pipe.NoWorkFound(str(error)) from error
        self.metadata["outcome"] = result.outcome.value
        for name, count in result.metadata.counts.items():
            self.metadata[name.replace(" ", "_")] = count
        return result.outputs

    def _read(self, butler: Any, refs: Any) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        # What is made on demand is made from other inputs, which come before it.
        for one in self.light.connections.inputs:
            ref = getattr(refs, one.name, None)
            if one.name == _COADDS:
                inputs[one.name] = self._read_coadds(butler, refs)
            elif one.name == _SOURCES and ref is not None:
                coadds = inputs[_COADDS]
                inputs[one.name] = read_sources(butler.get(ref), coadds.wcs, shape=coadds.box.shape)
            elif ref is not None:
                inputs[one.name] = CODECS[one.storage].read(butler.get(ref), inputs)
        return inputs

    def _read_coadds(self, butler: Any, refs: Any) -> Any:
        images = {ref.dataId["band"]: butler.get(ref) for ref in refs.coadds}
        psfs = {ref.dataId["band"]: read_records(butler.get(ref)) for ref in getattr(refs, "psfs", ())}
        return from_band_images(images, psfs)


@contextmanager
def _logged_as(label: str) -> Iterator[None]:
    """Send our log to a logger of Rubin's: those that are not below ``lsst`` are silent there."""
    ours, theirs = logging.getLogger("meas_deblend"), logging.getLogger(f"lsst.meas_deblend.{label}")
    before = ours.handlers, ours.level, ours.propagate
    ours.handlers, ours.propagate = [_Forwarder(theirs)], False
    ours.setLevel(theirs.getEffectiveLevel())
    try:
        yield
    finally:
        ours.handlers, ours.propagate = before[0], before[2]
        ours.setLevel(before[1])


class _Forwarder(logging.Handler):
    """Hands messages on to another logger."""

    def __init__(self, log: logging.Logger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a message on, with its level."""
        self._log.log(record.levelno, "%s", record.getMessage())


def _config_class(name: str, module: str, light: type[PipelineTask[Any]]) -> Any:
    """Make the config of a task: our settings, the connections, and what only a repository has."""
    model, made = light.ConfigClass, f"{name.removesuffix('Task')}Config"

    def apply_survey(self: Any, survey: str, label: str) -> None:
        """Apply what a survey changes: ``config/<survey>/<label>.yaml``, or a folder of one's own."""
        set_values(self, survey_settings(survey, label, model))

    body: dict[str, Any] = {"__doc__": model.__doc__, "__module__": module, "apply_survey": apply_survey}
    connections = _connections_class(made.replace("Config", "Connections"), module, light)
    fields = {**config_body(model), **_repository_fields(light)}
    return pex.ConfigMeta(made, (pipe.PipelineTaskConfig,), {**body, **fields}, pipelineConnections=connections)


def _repository_fields(light: type[PipelineTask[Any]]) -> dict[str, Any]:
    names = {one.name for one in light.connections.inputs}
    fields: dict[str, Any] = {}
    if _COADDS in names:
        fields["coadd_storage_class"] = pex.ChoiceField(
            doc="Storage class of the coadds. Those of MaskedImageV2 have PSFs in datasets of their own.",
            dtype=str,
            allowed={
                "MaskedImageV2": "lsst.images.MaskedImage",
                "CellCoadd": "lsst.images.cells.CellCoadd",
                "ExposureF": "lsst.afw.image.ExposureF; needs the Science Pipelines",
            },
            default="MaskedImageV2",
            optional=False,
        )
    if _SOURCES in names:
        fields["use_source_list"] = pex.Field(
            doc="Whether positions are read from the dataset source_list (columns x y, or ra dec) in place of peaks.",
            dtype=bool,
            default=False,
        )
    return fields


def _connections_class(name: str, module: str, light: type[PipelineTask[Any]]) -> Any:
    body: dict[str, Any] = {"__module__": module, "__doc__": f"Inputs and outputs of {light.__name__}."}
    for one in light.connections.inputs:
        if one.name == _COADDS:
            band = (*DIMENSIONS, "band")
            shared = {"dimensions": band, "multiple": True}
            body[one.name] = connectionTypes.Input(
                name="{coadd}", storageClass="MaskedImageV2", doc="Images, one per band.", **shared
            )
            body["psfs"] = connectionTypes.Input(
                name="{coadd}_psf", storageClass="ArrowTable", doc="PSFs of the images, one per band.", **shared
            )
        elif one.name not in _BY_HAND:
            body[one.name] = _input(one)
    for one in light.connections.outputs:
        body[one.name] = connectionTypes.Output(**_common(one))

    def __init__(self: Any, *, config: Any = None) -> None:  # noqa: N807 - of the class that is made
        pipe.PipelineTaskConnections.__init__(self, config=config)
        if hasattr(self, _COADDS):
            self.coadds = replace(self.coadds, storageClass=config.coadd_storage_class)
            if config.coadd_storage_class != "MaskedImageV2":
                del self.psfs
        if hasattr(self, _SOURCES) and not config.use_source_list:
            del self.source_list

    body["__init__"] = __init__
    options = {"dimensions": DIMENSIONS, "defaultTemplates": _TEMPLATES}
    return new_class(name, (pipe.PipelineTaskConnections,), options, lambda namespace: namespace.update(body))


def _input(one: Connection) -> Any:
    if one.name == _SOURCES:
        return connectionTypes.PrerequisiteInput(
            name="{prefix}_source_list", storageClass="ArrowAstropy", doc=one.doc, dimensions=DIMENSIONS
        )
    return connectionTypes.Input(**_common(one), minimum=0 if one.optional else 1)


def _common(one: Connection) -> dict[str, Any]:
    storage = CODECS[one.storage].storage_class
    return {"name": f"{{prefix}}_{one.dataset}", "storageClass": storage, "doc": one.doc, "dimensions": DIMENSIONS}
