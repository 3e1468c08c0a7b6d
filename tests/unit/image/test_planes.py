"""How a user names the files of a band."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import PlaneSpec, parse_plane_spec, plane_spec


def as_dict(spec):
    names = ("image", "variance", "sigma", "weight", "mask", "psf")
    return {name: getattr(spec, name) for name in names if getattr(spec, name) is not None}


@pytest.mark.parametrize(
    ("text", "band", "planes"),
    [
        ("g=g.fits", "g", {"image": "g.fits"}),
        ("g=g.fits[SCI],ivar=w.fits[2]", "g", {"image": "g.fits[SCI]", "weight": "w.fits[2]"}),
        (
            "HSC-G=a/b.fits,variance=v.fits,mask=m.fits,psf=p.fits",
            "HSC-G",
            {"image": "a/b.fits", "variance": "v.fits", "mask": "m.fits", "psf": "p.fits"},
        ),
        ("r=x.fits,sigma=0.02,psf=fwhm=0.7", "r", {"image": "x.fits", "sigma": 0.02, "psf": "fwhm=0.7"}),
        ("r=x.fits,psf=moffat:fwhm=0.7,beta=3,weight=4", "r", None),
        ("i=8,2-patch,1.fits,err=e.fits", "i", {"image": "8,2-patch,1.fits", "sigma": "e.fits"}),
        ("i=C:/a=b.fits", "i", {"image": "C:/a=b.fits"}),
    ],
)
def test_the_command_lines_form(text, band, planes):
    planes = planes or {"image": "x.fits", "psf": "moffat:fwhm=0.7,beta=3", "weight": 4.0}
    found_band, spec = parse_plane_spec(text)
    assert found_band == band
    assert as_dict(spec) == planes


@given(
    st.fixed_dictionaries(
        {"image": st.from_regex(r"[a-z0-9_/.,-]{1,20}", fullmatch=True)},
        optional={k: st.from_regex(r"[a-z_/]{1,20}\.fits", fullmatch=True) for k in ("variance", "mask", "psf")},
    )
)
def test_text_and_mapping_mean_the_same(planes):
    text = "g=" + ",".join([planes["image"], *(f"{k}={v}" for k, v in planes.items() if k != "image")])
    assert as_dict(parse_plane_spec(text)[1]) == as_dict(plane_spec(planes))


def test_a_path_and_a_spec_are_specs():
    assert plane_spec("g.fits").image == "g.fits"
    spec = PlaneSpec("g.fits")
    assert plane_spec(spec) is spec


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"image": "a", "varianse": "b"}, r"no plane 'varianse': there are image, .*; did you mean 'variance'\?"),
        ({"variance": "b"}, "a band needs an image file; got only variance"),
        ({}, "got only nothing"),
        ("", "got an empty path"),
        ({"image": "a", "variance": "b", "ivar": "c"}, "give the noise in one form, got variance and weight for a"),
        ({"image": "a", "ivar": "b", "weight": "c"}, "plane 'weight' is given twice"),
    ],
)
def test_mistakes_in_a_mapping(value, message):
    with pytest.raises(InputError, match=message):
        plane_spec(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g.fits", "coadds are given as BAND=FILE .*; got 'g.fits'"),
        ("=g.fits", "coadds are given as BAND=FILE"),
        ("g=", "coadds are given as BAND=FILE"),
        ("a/b=c", "coadds are given as BAND=FILE"),
        ("g=g.fits,wight=w.fits", r"no plane 'wight'.*did you mean 'weight'\?"),
        ("g=g.fits,mask=", "plane 'mask' has no file in 'g=g.fits,mask='"),
        ("g=g.fits,mask=a,dq=b", "plane 'mask' is given twice"),
    ],
)
def test_mistakes_on_the_command_line(text, message):
    with pytest.raises(InputError, match=message):
        parse_plane_spec(text)
