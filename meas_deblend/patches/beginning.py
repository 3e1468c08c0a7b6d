"""What a run of many patches begins with: its index, and a folder that is free, or that of a run that may go on."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError, ModelError, NoWorkFoundError
from ..framework import load_pipeline, versions
from ..image import load_survey
from ..products import PATCH_INDEX, PatchEntry, PatchIndex, read_patch_index
from ..run_identity import settings_identity
from .inputs import check_options
from .job import MANIFESTS
from .lock import LOCK
from .one_patch import labels_of, remove_stages
from .progress import forget_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .inputs import PatchFiles
    from .job import RunSettings

__all__ = ["TABLES_OF_RUN", "begun", "continued", "index_of"]

TABLES_OF_RUN = ("ownership", "quanta")
"""Tables of all patches, in the folder of the run."""
_SHOWN = 5


def index_of(patches: Sequence[PatchFiles], settings: RunSettings) -> PatchIndex:
    """Describe a run that begins now.

    Parameters
    ----------
    patches : sequence of PatchFiles
    settings : RunSettings

    Raises
    ------
    NoWorkFoundError
        If there is no patch.
    InputError
        If an option is given for a band that no patch has.
    ConfigError, PipelineError
        If settings or pipeline cannot be used.
    """
    if not patches:
        raise NoWorkFoundError("no patch was given")
    survey = settings.read_options["survey"]
    pipeline = load_pipeline(settings.pipeline, survey=survey, layers=settings.layers)
    order = load_survey(survey).sort_bands(dict.fromkeys(band for patch in patches for band in patch.bands))
    check_options(order, settings.read_options)
    identity = settings_identity(pipeline)
    identity |= {f"option {name}": str(value) for name, value in settings.read_options.items() if value is not None}
    identity |= {f"version of {name}": version for name, version in versions().items()}
    entries = tuple(
        PatchEntry(
            tract=patch.tract,
            patch=patch.patch,
            number=patch.number,
            folder=f"{patch.tract}/{patch.patch}",
            inputs={band: dict(patch.bands[band]) for band in order if band in patch.bands},
            inner=patch.inner,
        )
        for patch in patches
    )
    return PatchIndex(
        created=datetime.now(UTC),
        command=settings.command,
        identity=identity,
        labels=labels_of(pipeline),
        read_options=_plain(settings.read_options),
        patches=entries,
    )


def _plain(options: Any) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}


def begun(folder: Path, index: PatchIndex, overwrite: bool) -> PatchIndex:
    """Make room for a new run: of an earlier one, its index, its tables and its patches are removed.

    Raises
    ------
    InputError
        If the folder is in use, and may not be overwritten.
    """
    used = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK)
    if used and not overwrite:
        shown = ", ".join(used[:3]) + (", ..." if len(used) > 3 else "")
        raise InputError(
            f"{folder}: the output folder is in use, it holds {shown}; choose another, say --resume to go on with a "
            "run of these patches, or --overwrite"
        )
    if (folder / PATCH_INDEX).is_file():
        try:
            earlier: Iterable[PatchEntry] = read_patch_index(folder).patches
        except ModelError:
            earlier = ()  # what it listed is no longer known, so nothing but what we write is touched
        # The index first: without it, what is left is not taken for a run.
        (folder / PATCH_INDEX).unlink()
        for name in TABLES_OF_RUN:
            (folder / f"{name}.parquet").unlink(missing_ok=True)
        for entry in (*earlier, *index.patches):
            remove_stages(folder / entry.folder)
            forget_progress(folder / entry.folder)
            if (folder / entry.folder / MANIFESTS).is_dir():
                shutil.rmtree(folder / entry.folder)
    return index


def continued(folder: Path, index: PatchIndex) -> PatchIndex:
    """Check that a run may go on, with patches that may have been added.

    Raises
    ------
    InputError
        If settings, versions or files are others; the message names what differs.
    """
    if not (folder / PATCH_INDEX).is_file():
        return begun(folder, index, overwrite=False)
    try:
        earlier = read_patch_index(folder)
    except ModelError as error:
        raise InputError(f"{error}; start anew, with --overwrite") from error
    then = earlier.identity | {f"files of patch {one.name}": _files(one) for one in earlier.patches}
    now = index.identity | {f"files of patch {one.name}": _files(one) for one in index.patches}
    known = {*earlier.identity, *index.identity, *(name for name in then if name.startswith("files of"))}
    differences = [
        f"{name} was {then.get(name, 'not there')}, is {now.get(name, 'not there')}"
        for name in dict.fromkeys([*then, *now])
        if name in known and then.get(name) != now.get(name)
    ]
    if differences:
        more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise InputError(
            f"{folder} was made with something else, and cannot be gone on with: {'; '.join(differences[:_SHOWN])}"
            f"{more}; go back to what it was, or start anew with --overwrite"
        )
    return index.model_copy(update={"created": earlier.created})


def _files(entry: PatchEntry) -> str:
    planes = (f"{band}:{plane}={path}" for band, files in entry.inputs.items() for plane, path in files.items())
    return f"{' '.join(planes)}{'' if entry.inner is None else f' inner={entry.inner}'}"
