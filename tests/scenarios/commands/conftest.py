"""Runs of the command line on the small sky."""

import pytest
import small_sky
from command_line import call, coadd_arguments
from sharing import made_once


@pytest.fixture(scope="session")
def empty_files(tmp_path_factory):
    """The same patch without any source."""
    return small_sky.write_coadds(tmp_path_factory.mktemp("empty"), small_sky.noise_only())


@pytest.fixture(scope="session")
def finished(files, tmp_path_factory):
    """Folder of a run with figures; nobody writes to it."""

    def make():
        out = tmp_path_factory.mktemp("run") / "out"
        assert call("run", *coadd_arguments(files), "--out", out, "-c", "multi_band:fit.max_iter=20") == 0
        return out

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture
def quick(files, tmp_path, capsys):
    """Function that runs the shortest pipeline on the sky; returns exit code, what was written and what was said."""

    def _quick(*arguments, coadds=None, out=None, pipeline="none"):
        folder = tmp_path / "out" if out is None else out
        chosen = coadd_arguments(files) if coadds is None else ["--coadd", *coadds]
        code = call("run", *chosen, "--pipeline", pipeline, "--no-figures", "--out", folder, *arguments)
        return code, folder, capsys.readouterr()

    return _quick
