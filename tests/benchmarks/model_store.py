"""What the model store costs against the layout of Rubin's pipelines, a zip of JSON texts, on the same models.

``python tests/benchmarks/model_store.py [--objects 20000] [--models models.parquet]``: the models of that store are
repeated with other mantissas and fluxes until there are enough; without one, from smooth profiles cut at the noise.
Both readers give the same values (`ParentModel`), but for what the zip does not hold.
"""

import argparse
import gc
import json
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from yardstick import yardstick

from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.models import BlendModel, FactorizedComponent, ParentModel, SourceModel
from meas_deblend.products import ModelStore, StoreMetadata, write_models

BANDS = ("u", "g", "r", "i", "z", "y")


def synthetic_parents(number, rng):
    """Parents of one to nine exponential discs, cut where they sink into noise, in boxes with a margin."""
    y, x = np.mgrid[:61, :61] - 30
    psfs = np.stack([np.exp(-(y**2 + x**2) / (2 * s**2)) for s in (2.4, 2.2, 2.0, 1.9, 1.9, 2.0)]).astype(np.float32)
    psfs /= psfs.sum(axis=(1, 2), keepdims=True)
    model_psf = np.exp(-(y[23:38, 23:38] ** 2 + x[23:38, 23:38] ** 2) / (2 * 0.8**2)).astype(np.float32)
    model_psf /= model_psf.sum()
    for parent_id in range(1, number + 1):
        side = int(rng.integers(20, 90))
        frame = Box((int(rng.integers(4000)), int(rng.integers(4000))), (side, side))
        mask = np.hypot(*(np.mgrid[:side, :side] - side / 2)) < side / 2
        peaks = tuple(
            Peak(k, frame.origin[0] + int(py), frame.origin[1] + int(px), rng.uniform(5, 500), BANDS[1:4], (py, px))
            for k, (py, px) in enumerate(rng.uniform(0, side, (int(rng.integers(1, 9)), 2)).tolist())
        )
        sources = []
        for peak in peaks:
            half = int(rng.integers(8, 18))
            yy, xx = np.mgrid[-half : half + 1, -half : half + 1] + rng.uniform(-0.5, 0.5, (2, 1, 1))
            morph = np.exp(-np.hypot(yy, xx * rng.uniform(1, 2)) / rng.uniform(1, half / 5))
            morph *= 1 + 0.05 * rng.standard_normal(morph.shape)
            morph = np.where(morph > 0.02, morph, 0).astype(np.float32)
            box = Box((peak.y - half, peak.x - half), morph.shape)
            component = FactorizedComponent(box, rng.lognormal(2, 1, 6).astype(np.float32), morph)
            sources.append(SourceModel(parent_id * 1000 + peak.id, peak, (component,)))
        blend = BlendModel(parent_id, frame, tuple(sources), 40, -1234.5, "converged")
        yield ParentModel(parent_id, Footprint(frame, mask, peaks), (blend,), psfs, model_psf, "multi_band")


def repeated(parents, n_objects, rng):
    """Parents again and again under other ids, with other mantissas and fluxes, until there are enough objects."""
    out, held, turn = [], 0, 0
    shift = 1 + max(source.id for parent in parents for source in (*parent.sources, parent))
    while held < n_objects:
        for parent in parents:
            out.append(_varied(parent, turn * shift, rng))
            held += len(parent.sources)
            if held >= n_objects:
                break
        turn += 1
    return out


def _varied(parent, shift, rng):
    def component(c):
        noise = (1 + 1e-3 * rng.standard_normal(c.morph.shape)).astype(np.float32)
        return FactorizedComponent(c.box, c.spectrum * np.float32(rng.uniform(0.5, 2)), c.morph * noise)

    blends = tuple(
        replace(
            blend,
            id=blend.id + shift,
            sources=tuple(
                replace(s, id=s.id + shift, components=tuple(map(component, s.components))) for s in blend.sources
            ),
        )
        for blend in parent.blends
    )
    return replace(parent, id=parent.id + shift, blends=blends)


def write_zip(path, parents, bands):
    """One entry per parent, uncompressed, arrays as lists of numbers; PSFs once for all."""
    with zipfile.ZipFile(path, "w") as archive:
        for parent in parents:
            archive.writestr(str(parent.id), json.dumps(_parent_json(parent)))
        first = parents[0]
        about = {"bands": list(bands), "array_keys": ["model_psf", "psf"]}
        for name, array in (("model_psf", first.model_psf), ("psf", first.psfs)):
            about |= {name: array.ravel().tolist(), f"{name}_shape": [*array.shape], f"{name}_dtype": "float32"}
        archive.writestr("metadata", json.dumps(about))
        archive.writestr("version", json.dumps("1.0.1"))


def _parent_json(parent):
    mask, box = parent.footprint.mask, parent.footprint.box
    spans = {"spans": mask.ravel().tolist(), "spans_shape": [*mask.shape], "spans_dtype": "bool"}
    children = {
        str(blend.id): {
            "blend_type": "blend",
            "origin": [*blend.box.origin],
            "shape": [*blend.box.shape],
            "sources": {str(source.id): _source_json(source) for source in blend.sources},
            "version": "1.0.0",
        }
        for blend in parent.blends
    }
    metadata = spans | {"origin": [*box.origin], "array_keys": ["spans"]}
    return {"blend_type": "hierarchical", "version": "1.0.0", "children": children, "metadata": metadata}


def _source_json(source):
    components = [
        {
            "origin": [*c.box.origin],
            "shape": [*c.box.shape],
            "peak": [source.peak.y, source.peak.x],
            "spectrum": c.spectrum.tolist(),
            "morph": c.morph.ravel().tolist(),
            "component_type": "factorized",
            "version": "1.0.0",
        }
        for c in source.components
    ]
    metadata = {"peak_id": source.peak.id, "id": source.id}
    return {"source_type": "source", "components": components, "metadata": metadata, "version": "1.0.0"}


def _zip_psfs(archive):
    about = json.loads(archive.read("metadata"))
    return tuple(
        np.array(about[name], about[f"{name}_dtype"]).reshape(about[f"{name}_shape"]) for name in ("psf", "model_psf")
    )


def _zip_parent(archive, name, psfs):
    stored = json.loads(archive.read(name))
    blends = tuple(_zip_blend(int(key), blend) for key, blend in stored["children"].items())
    about = stored["metadata"]
    mask = np.array(about["spans"], bool).reshape(about["spans_shape"])
    peaks = tuple(source.peak for blend in blends for source in blend.sources)
    footprint = Footprint(Box(about["origin"], mask.shape), mask, peaks)
    return ParentModel(int(name), footprint, blends, *psfs)


def _zip_blend(identifier, stored):
    sources = []
    for source in stored["sources"].values():
        components = tuple(
            FactorizedComponent(
                Box(c["origin"], c["shape"]),
                np.array(c["spectrum"], np.float32),
                np.array(c["morph"], np.float32).reshape(c["shape"]),
            )
            for c in source["components"]
        )
        y, x = source["components"][0]["peak"] if components else (0, 0)
        about = source["metadata"]
        sources.append(SourceModel(about["id"], Peak(about["peak_id"], y, x), components))
    return BlendModel(identifier, Box(stored["origin"], stored["shape"]), tuple(sources))


def one_of_zip(path, parent_id):
    """One blend as Rubin's pipelines read it: the archive is opened for it."""
    with zipfile.ZipFile(path) as archive:
        return _zip_parent(archive, str(parent_id), _zip_psfs(archive))


def all_of_zip(path):
    """Every blend."""
    with zipfile.ZipFile(path) as archive:
        psfs = _zip_psfs(archive)
        return [_zip_parent(archive, n, psfs) for n in archive.namelist() if n not in ("metadata", "version")]


def median_ms(call, arguments):
    """Median CPU time of calls, in milliseconds."""
    times = []
    for argument in arguments:
        start = time.process_time()
        call(argument)
        times.append(1e3 * (time.process_time() - start))
    return float(np.median(times))


def groups_apart(store):
    """Return how far apart parents of different row groups are, at least."""
    metadata = pq.ParquetFile(store.path).metadata
    return max(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))


def seconds(call):
    """CPU time of one call; what the benchmark itself holds is kept from the garbage collector's eyes."""
    gc.collect()
    gc.freeze()
    start = time.process_time()
    call()
    return time.process_time() - start


def bytes_read(call):
    """Bytes that a call reads from files, as the kernel counts them (Linux)."""

    def so_far():
        return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])

    idle = -so_far() + so_far()
    before = so_far()
    call()
    return so_far() - before - idle


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--objects", type=int, default=20_000)
    options.add_argument("--models", type=Path, help="a store of factorized components to repeat")
    given = options.parse_args()
    rng = np.random.default_rng(1)
    metadata, some = StoreMetadata(BANDS), list(synthetic_parents(300, rng))
    if given.models:
        store = ModelStore(given.models)
        metadata, some = store.metadata, list(store.parents())
    parents = repeated(some, given.objects, rng)
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), parents, metadata, rng)


def report(folder, parents, metadata, rng):
    objects = sum(len(parent.sources) for parent in parents)
    path, archive = folder / "models.parquet", folder / "models.scarlet"
    print(f"{objects} objects of {len(parents)} parents, {len(metadata.bands)} bands; Y = {1e6 * yardstick():.0f} µs")
    print(f"write: {seconds(lambda: write_models(path, parents, metadata)):.2f} s")
    write_models(folder / "compact.parquet", parents, metadata, compact=True)
    write_zip(archive, parents, metadata.bands)
    sizes = {p.stem + p.suffix: p.stat().st_size for p in (path, folder / "compact.parquet", archive)}
    for name, size in sizes.items():
        ratio = sizes["models.scarlet"] / size
        print(f"{name}: {size / 1e6:.1f} MB, {size / objects:.0f} bytes per object, 1/{ratio:.1f} of the zip")
    ids = [parent.id for parent in parents]
    some = [ids[k] for k in rng.choice(len(ids), 60, replace=False)]
    store = ModelStore(path)
    zipped = median_ms(lambda one: one_of_zip(archive, one), some[:20])
    cold = median_ms(lambda one: ModelStore(path).parent(one), some[:20])
    store.parent(some[-1])  # the PSFs of the field, that all share
    first = median_ms(store.parent, ids[:: groups_apart(store)][2:])
    for one in rng.choice(ids, 1000):
        store.parent(int(one))
    warm = median_ms(store.parent, rng.choice(ids, 200).tolist())
    print(
        f"open: {median_ms(lambda _: ModelStore(path), some[:20]):.1f} ms, {bytes_read(lambda: ModelStore(path)):,} B"
    )
    print(f"one blend: zip {zipped:.1f} ms; store opened for it {cold:.1f} ms (1/{zipped / cold:.1f})", end=", ")
    print(f"open store {first:.2f} ms (1/{zipped / first:.1f}) for the first of a row group", end=", ")
    print(f"{warm:.2f} ms (1/{zipped / warm:.1f}) at random places of a store in use")
    print(f"one blend reads {bytes_read(lambda: ModelStore(path).parent(some[0])):,} B with opening", end=", ")
    print(f"{bytes_read(lambda: store.parent(some[1])):,} B without")
    every = seconds(lambda: all_of_zip(archive)), seconds(lambda: list(store.parents()))
    print(f"all: zip {every[0]:.2f} s, store {every[1]:.2f} s (1/{every[0] / every[1]:.1f})")
    print(f"all, one after the other: {seconds(lambda: [None for _ in store.parents()]):.2f} s")


if __name__ == "__main__":
    main()
