"""Small fields with truth on disk."""

import pytest
import small_fields

from meas_deblend.evaluate import open_fields


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory):
    """Write fields to a folder: ``make_folder([arrays, …])`` returns it."""

    def make(fields, name="small"):
        return small_fields.write_fields(tmp_path_factory.mktemp("fields") / name, fields)

    return make


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Two fields."""
    return small_fields.write_two(tmp_path_factory.mktemp("fields") / "small")


@pytest.fixture(scope="session")
def field(folder):
    """The first of them."""
    return open_fields(folder).read(0)


@pytest.fixture(scope="session")
def arrays_of():
    """Function that makes the content of a field's file."""
    return small_fields.field_arrays
