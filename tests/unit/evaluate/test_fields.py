"""Reading fields with truth."""

import numpy as np
import pytest

from meas_deblend.evaluate import open_fields
from meas_deblend.exceptions import InputError


def test_a_folder_of_fields(folder):
    fields = open_fields(folder)
    assert fields.name == "small"
    assert len(fields) == 2
    assert [f.name for f in fields] == ["field_000", "field_001"]
    assert fields.setting.bands == ("g", "r", "i")
    assert fields.setting.zeropoints == (28.0, 28.0, 28.0)


def test_what_the_deblender_is_given(field):
    exposure = field.exposure()
    np.testing.assert_array_equal(exposure.images, field.image)
    sky = field.setting.sky[:, None, None]
    np.testing.assert_allclose(exposure.variance, sky + field.truth.sum(axis=0), rtol=1e-6)
    # Cut-off stamps stay as they are: a unit PSF that is normalised again would make every source too bright.
    np.testing.assert_array_equal(exposure.psfs[1].image(45, 45).stamp, field.setting.psf[1])
    assert field.sources["id"] == ["0", "1", "2", "3"]


def test_the_given_fields(data_dir):
    fields = open_fields(data_dir / "fields" / "test")
    assert len(fields) == 20
    field = fields.read(0)
    assert field.image.shape == (6, 205, 205)
    # 28.10 mag is one electron per second in r, and 184 visits of 30 s are summed.
    assert field.setting.zeropoints[2] == pytest.approx(28.10 + 2.5 * np.log10(5520), abs=1e-12)


def test_without_truth_it_says_what_is_expected(make_folder, arrays_of):
    arrays = arrays_of([(40, 40, 1e4, 1.0)])
    del arrays["truth"]
    fields = open_fields(make_folder([arrays], "bare"))
    with pytest.raises(InputError, match=r"no truth \(a field without truth cannot be scored\); a field has image"):
        fields.read(0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("truth", np.zeros((1, 2, 91, 91)), r"truth \(source, band, y, x\); got \(3, 91, 91\) and \(1, 2, 91, 91\)"),
        ("x", np.zeros(3), "x must be 1 finite numbers"),
        ("y", np.array([np.nan]), "y must be 1 finite numbers"),
        ("a", np.array([0.5]), "must satisfy a >= b >= 0"),
    ],
)
def test_arrays_that_do_not_fit(make_folder, arrays_of, key, value, message):
    arrays = arrays_of([(40, 40, 1e4, 1.0)]) | {key: value}
    fields = open_fields(make_folder([arrays], "wrong"))
    with pytest.raises(InputError, match=message):
        fields.read(0)


def test_no_folder_no_fields_no_psf(tmp_path, folder):
    with pytest.raises(InputError, match="no such folder"):
        open_fields(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no field_\*\.npz"):
        open_fields(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "field_000.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"no psf\.npz, neither in it nor beside it"):
        open_fields(tmp_path / "inner")
    np.savez(tmp_path / "psf.npz", psf=np.zeros((1, 3, 3)))
    with pytest.raises(InputError, match="no fwhm_pix, sky, bands"):
        open_fields(tmp_path / "inner")
    (tmp_path / "psf.npz").write_bytes((folder.parent / "psf.npz").read_bytes())
    with pytest.raises(InputError, match="cannot be read as an npz file"):
        open_fields(tmp_path / "inner").read(0)


def test_angles_are_turned_into_the_range_of_the_apertures(make_folder, arrays_of):
    arrays = arrays_of([(40, 40, 1e4, 1.0)]) | {"theta": np.array([np.pi * 0.75])}
    field = open_fields(make_folder([arrays], "turned")).read(0)
    np.testing.assert_allclose(field.theta, [-np.pi / 4])


def test_truth_on_boxes_and_planes_of_defects(make_folder, arrays_of):
    arrays = arrays_of([(40, 40, 1e4, 1.0), (60, 20, 2e4, 1.0)])
    truth = arrays.pop("truth")
    arrays |= {"boxes": np.array([[20, 10, 50, 60], [45, 0, 40, 50]])}
    arrays |= {"cut_000": truth[0][:, 20:70, 10:70], "cut_001": truth[1][:, 45:85, 0:50]}
    image = arrays["image"].copy()
    image[1, 38:43] = np.nan
    mask = np.zeros(image.shape, dtype=np.int16)
    mask[0, 58:62, 18:22] = 4
    image[0, 58:62, 18:22] = 1e6
    variance = np.full(image.shape, 7.0, dtype=np.float32)
    field = open_fields(make_folder([arrays | {"image": image, "mask": mask, "variance": variance}], "cuts")).read(0)
    np.testing.assert_array_equal(field.truth[0][:, 20:70, 10:70], arrays["cut_000"])
    assert field.truth[0, :, :20].sum() == 0
    exposure = field.exposure()
    assert (exposure.variance == 7).all()
    assert exposure.bad[0, 60, 20]
    assert exposure.bad[1, 40, 3]
    # What cannot be seen does not count in the fluxes: there is no noise there.
    noiseless = field.truth.sum(axis=0, dtype=float)
    np.testing.assert_array_equal(field.observed[exposure.bad], noiseless[exposure.bad])
    assert np.isfinite(field.observed).all()


def test_planes_of_another_shape(make_folder, arrays_of):
    arrays = arrays_of([(40, 40, 1e4, 1.0)]) | {"mask": np.zeros((91, 91), np.int32)}
    with pytest.raises(InputError, match=r"mask must have the shape of image, \(3, 91, 91\), got \(91, 91\)"):
        open_fields(make_folder([arrays], "flat")).read(0)
