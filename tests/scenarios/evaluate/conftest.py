"""Small fields with truth on disk."""

import pytest
import small_fields


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Two fields; nobody writes to them."""
    return small_fields.write_two(tmp_path_factory.mktemp("fields") / "small")
