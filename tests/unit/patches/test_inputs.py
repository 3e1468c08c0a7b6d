"""Which files belong to which patch: tables, patterns, and what is refused."""

import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.patches import patch_number, read_patches


def table(folder, text):
    path = folder / "patches.csv"
    path.write_text(text)
    return path


def test_a_table_gives_patches_with_absolute_paths(tmp_path):
    (tmp_path / "psf.fits").touch()
    path = table(
        tmp_path,
        "tract, patch, band, image, variance, mask, psf, inner\n"
        '9813,"4,3",g,g.fits[SCI],var.fits,,psf.fits,"10:90,0:80"\n'
        '9813,"4,3",r,r.fits,0.5,,fwhm=0.7,\n'
        "\n"
        "7,2,g,/data/g.fits,,m.fits,,\n",
    )
    second, first = read_patches(path)[::-1]
    assert (first.tract, first.patch, first.number, first.inner) == (7, "2", 2, None)
    assert first.bands == {"g": {"image": "/data/g.fits", "mask": f"{tmp_path}/m.fits"}}
    assert (second.name, second.number, second.inner) == ("9813/4,3", 304, (10, 90, 0, 80))
    assert second.bands["g"] == {
        "image": f"{tmp_path}/g.fits[SCI]",
        "variance": f"{tmp_path}/var.fits",
        "psf": f"{tmp_path}/psf.fits",
    }
    # Numbers, and PSFs in words, are no files.
    assert second.bands["r"] == {"image": f"{tmp_path}/r.fits", "variance": "0.5", "psf": "fwhm=0.7"}


def test_a_pattern_finds_files(tmp_path):
    for name in ("9813/4,3/g.fits", "9813/4,3/r.fits", "9813/5,3/g.fits", "9813/notes.txt", "x/4,3/deep/g.fits"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    first, second = read_patches(f"{tmp_path}/{{tract}}/{{patch}}/{{band}}.fits")
    assert (first.name, sorted(first.bands)) == ("9813/4,3", ["g", "r"])
    assert (second.name, sorted(second.bands)) == ("9813/5,3", ["g"])
    assert first.bands["r"] == {"image": f"{tmp_path}/9813/4,3/r.fits"}


def test_a_pattern_without_a_tract_is_of_tract_0(tmp_path):
    for name in ("calexp-3-g.fits", "calexp-3-r.fits"):
        (tmp_path / name).touch()
    (only,) = read_patches(f"{tmp_path}/calexp-{{patch}}-{{band}}.fits")
    assert (only.tract, only.patch, sorted(only.bands)) == (0, "3", ["g", "r"])


@pytest.mark.parametrize(("name", "number"), [("0", 0), ("37", 37), ("4,3", 304), ("0,0", 0), ("16383", 16383)])
def test_numbers_of_patches(name, number):
    assert patch_number(name) == number


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("north", "a patch is named by a number, or by column and row such as '4,3'; got 'north'"),
        ("16384", "goes from 0 to 16383; that of '16384' is 16384"),
        ("100,0", "columns of patches go from 0 to 99; got '100,0'"),
        ("0,164", "goes from 0 to 16383; that of '0,164' is 16400"),
    ],
)
def test_names_that_give_no_number_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        patch_number(name)


HEAD = "tract,patch,band,image\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: a table of patches has the columns tract, patch, band, image"),
        (HEAD, "there is no row in .*: there is nothing to deblend"),
        ("tract,patch,image\n1,1,a", "has no column band"),
        ("tract,patch,band,image,varaince\n", "unknown column 'varaince'; did you mean 'variance'"),
        ("tract,patch,band,image,image\n", "has the column image twice"),
        (HEAD + "1,1,g,\n", r"csv, line 2: no value for image"),
        (HEAD + "1,4,3,g,a.fits\n", 'line 2: 5 values for 4 columns; names with a comma, such as "4,3"'),
        (HEAD + "x,1,g,a.fits\n", "line 2: a tract is a number from 0 to 131071; got 'x'"),
        (HEAD + "1,n,g,a.fits\n", "line 2: a patch is named by a number"),
        (HEAD + "1,1,g,a.fits\n1,1,g,b.fits\n", "band g of patch 1/1 is given twice: .*line 2, and .*line 3"),
        (HEAD + '1,101,g,a.fits\n1,"1,1",g,b.fits\n', "patches 1/101 and 1/1,1 have one number, 101"),
        ("tract,patch,band,image,inner\n1,1,g,a.fits,0:5\n", "line 2: an inner region is X0:X1,Y0:Y1"),
        (
            'tract,patch,band,image,inner\n1,1,g,a,"0:5,0:5"\n1,1,r,b,"0:6,0:5"\n',
            "patch 1/1 has two inner regions: .*line 2 and .*line 3",
        ),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_patches(table(tmp_path, text))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{tract}/{field}/{band}.fits", r"\{field\} is unknown; it has the places \{tract\}, \{patch\} and \{band\}"),
        ("{tract}/{patch}/all.fits", r"\{band\} is missing"),
        ("{patch}/{band}.fits", "no file has a name like .*: there is nothing to deblend"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused(tmp_path, pattern, message):
    with pytest.raises(InputError, match=message):
        read_patches(f"{tmp_path}/{pattern}")


def test_a_table_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv cannot be read as a table of patches: No such file or directory$"):
        read_patches(tmp_path / "none.csv")
