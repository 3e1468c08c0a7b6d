"""What every run must keep, whatever the sky: checked from the outside, on pixels and catalogs."""

import numpy as np

from meas_deblend.products import OUTCOMES, REASONS, check_table

TABLES = (
    "objects",
    "parents",
    "ledger",
    "patch_ledger",
    "flux_covariance",
    "noise_correlation",
    "merged_peaks",
    "timings",
)


def assert_nobody_is_lost(result):
    """Each parent has a row and an outcome, each peak an object and a child; tables are as declared."""
    for name in TABLES:
        table = getattr(result, name)
        check_table(name, table, table.meta["layout"])
    assert [int(i) for i in result.parents["parentObjectId"]] == [model.id for model in result.parent_models]
    assert set(result.parents["deblend_outcome"]) <= set(OUTCOMES)
    assert set(result.parents["deblend_reason"]) <= set(REASONS)
    for row, model, shared in zip(result.parents, result.parent_models, result.children, strict=True):
        assert (row["deblend_outcome"] == "ok") == (row["deblend_reason"] == "")
        assert len(model.sources) == len(model.footprint.peaks) == len(shared.children) == row["deblend_nPeaks"]
    ids = [source.id for model in result.parent_models for source in model.sources]
    assert [int(i) for i in result.objects["objectId"]] == ids
    assert len(set(ids)) == len(ids)
    assert set(result.models.ids) == set(ids)


def assert_ledger_closes(result, coadds):
    """Data = Σ children + unassigned + masked over each footprint and band, to 1e-6 of Σ|data|; footprints disjoint.

    Everything is added up anew, from the coadd and the children's pixels; only then is the ledger compared.
    """
    taken = np.zeros(coadds.box.shape, dtype=int)
    rows = iter(result.ledger)
    for model, shared in zip(result.parent_models, result.children, strict=True):
        member = model.footprint.on(coadds.box)
        taken += member
        total, held = _children(shared.children, coadds.box, coadds.images.shape)
        finite = np.isfinite(coadds.images)
        data = np.where(member & finite, coadds.images, 0).astype(np.float64)
        masked = np.where(coadds.bad, data, 0)
        unassigned = np.where(held | coadds.bad, 0, data)
        children = np.where(member, total, 0)
        assert not held[coadds.bad].any()
        for k, band in enumerate(coadds.bands):
            tolerance = 1e-6 * np.abs(data[k]).sum()
            parts = [part[k].sum() for part in (data, children, unassigned, masked)]
            assert abs(parts[0] - parts[1] - parts[2] - parts[3]) <= tolerance
            row = next(rows)
            assert (row["parentObjectId"], row["band"]) == (model.id, band)
            for name, value in zip(("data", "children", "unassigned", "masked"), parts, strict=True):
                assert abs(row[name] - value) <= tolerance
            assert row["not_finite"] == np.count_nonzero(member & ~finite[k])
            assert abs(row["outside"] - (total[k].sum() - children[k].sum())) <= tolerance
    assert next(rows, None) is None
    assert taken.max(initial=0) <= 1
    _assert_patch_ledger_closes(result, coadds, taken)


def _assert_patch_ledger_closes(result, coadds, taken):
    """Image = parents + isolated + sky + masked in each band, to 1e-6 of Σ|image|; each part added up anew."""
    isolated = np.zeros_like(taken, dtype=bool)
    for model in result.parent_models:
        if len(model.footprint.peaks) == 1:
            isolated |= model.footprint.on(coadds.box)
    where = {"parents": (taken > 0) & ~isolated, "isolated": isolated, "sky": taken == 0}
    assert list(result.patch_ledger["band"]) == list(coadds.bands)
    for row, image, bad in zip(result.patch_ledger, coadds.images, coadds.bad, strict=True):
        pixels = np.where(np.isfinite(image), image, 0).astype(np.float64)
        tolerance = 1e-6 * np.abs(pixels).sum()
        assert abs(row["image"] - sum(row[name] for name in (*where, "masked"))) <= tolerance
        assert abs(row["image"] - pixels.sum()) <= tolerance
        assert abs(row["masked"] - pixels[bad].sum()) <= tolerance
        assert abs(row["absolute"] - np.abs(pixels).sum()) <= tolerance
        assert row["not_finite"] == np.count_nonzero(~np.isfinite(image))
        for name, inside in where.items():
            assert abs(row[name] - pixels[inside & ~bad].sum()) <= tolerance


def assert_catalog_is_finite_or_flagged(result):
    """A measured number that is not finite has its flag set."""
    objects = result.objects
    for name in objects.colnames:
        flag = _flag_of(name, objects.colnames)
        if flag is not None:
            lost = ~np.isfinite(np.asarray(objects[name], dtype=np.float64))
            assert np.asarray(objects[flag])[lost].all(), f"{name} is not finite, and {flag} is not set"
    assert np.isfinite(objects["x"]).all()
    assert np.isfinite(objects["y"]).all()


def _children(children, frame, shape):
    """Sum of the children's pixels, and whether any child has a share of a pixel."""
    total = np.zeros(shape)
    held = np.zeros(shape, dtype=bool)
    for child in children:
        cut = (slice(None), *child.box.slices_in(frame)) if not child.box.is_empty else np.s_[:, :0, :0]
        total[cut] += child.flux
        held[cut] |= child.share > 0
    return total, held


def _flag_of(name, columns):
    """Name of the flag that a measured column has."""
    if name.endswith("_flag"):
        return None
    stem = name.removesuffix("Err")
    for end in ("_x", "_y", "_xx", "_yy", "_xy"):
        stem = stem.removesuffix(end)
    band, _, rest = stem.partition("_")
    shape = f"{band}_shape_flag"
    for flag in (f"{stem}_flag", shape if rest in ("ixx", "iyy", "ixy") else ""):
        if flag in columns:
            return flag
    return None
