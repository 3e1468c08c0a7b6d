"""The single-band deblender as loops over pixels: slow, written from the description, and the oracle of the tests.

Only what the options of `deblend_by_pixel` ask for: point-source fits, symmetric templates with ramps, median, monotone
projection, trimming, sharing, and stray flux by distance to the peaks. Positions are (y, x).
"""

import math

import numpy as np

__all__ = ["deblend_by_pixel"]


def deblend_by_pixel(image, variance, psf, peaks, footprint, config, sigma1=1.0, fwhm=None):
    """Flux of each child (y, x); peaks must be pixels, and have templates."""
    sky = _Sky(image, variance, psf, [tuple(map(int, p)) for p in peaks], footprint, sigma1, fwhm or 2.35 * psf.sigma)
    templates, is_psf = [], []
    for k in range(len(sky.peaks)):
        star = _point_source(sky, k, config) if config.fit_psfs else None
        is_psf.append(star is not None)
        template = star if star is not None else _galaxy(sky, k, config)
        templates.append(_trim(template) if config.clip_footprint_to_nonzero else template)
    return _share(sky, templates, is_psf, config)


class _Sky:
    def __init__(self, image, variance, psf, peaks, footprint, sigma1, fwhm):
        self.image, self.variance, self.psf, self.peaks, self.sigma1, self.fwhm = (
            image, variance, psf, peaks, sigma1, fwhm,
        )  # fmt: skip
        self.member = {(y, x) for y in range(image.shape[0]) for x in range(image.shape[1]) if footprint[y, x]}
        rows, columns = [p[0] for p in self.member], [p[1] for p in self.member]
        self.y0, self.y1, self.x0, self.x1 = min(rows), max(rows), min(columns), max(columns)

    def in_box(self, p):
        return self.y0 <= p[0] <= self.y1 and self.x0 <= p[1] <= self.x1

    def in_image(self, p):
        return 0 <= p[0] < self.image.shape[0] and 0 <= p[1] < self.image.shape[1]

    def stamp(self, y, x):
        """PSF at a position, by pixel."""
        array, (cy, cx) = self.psf.image(y, x)
        h, w = array.shape
        return {(cy - h // 2 + i, cx - w // 2 + j): array[i, j] for i in range(h) for j in range(w)}


# --- point sources ---------------------------------------------------------------------------------------------------


def _point_source(sky, k, config):
    y, x = sky.peaks[k]
    r0, r1 = math.ceil(sky.fwhm), math.ceil(1.5 * sky.fwhm)
    full = sky.stamp(y, x)
    p = {q: v for q, v in full.items() if sky.in_box(q)}
    rows = [q for q in sky.member if abs(q[0] - y) <= r1 and abs(q[1] - x) <= r1]
    rows = sorted(q for q in rows if math.hypot(q[0] - y, q[1] - x) <= r1 and sky.variance[q] > 0)
    side = round(math.sqrt(len(full)))
    near = [j for j in range(len(sky.peaks)) if j != k and math.dist(sky.peaks[j], (y, x)) <= r1 + side / 2]
    others = [sky.stamp(*sky.peaks[j]) for j in near]
    ramp = [1.0 if math.dist(q, (y, x)) <= r0 else max(0.0, 1 - (math.dist(q, (y, x)) - r0) / (r1 - r0)) for q in rows]
    rest = [[1.0 for q in rows], [q[1] - x for q in rows], [q[0] - y for q in rows]]
    rest += [[o.get(q, 0.0) for q in rows] for o in others]
    moved = [[_slope(p, q, d) for q in rows] for d in ((1, 0), (0, 1))]

    def fit(columns):
        columns = [c for c in columns if any(c)]
        weight = [math.sqrt(r / sky.variance[q]) for r, q in zip(ramp, rows, strict=True)]
        matrix = np.array(columns).T
        data = np.array([sky.image[q] for q in rows])
        w = np.array(weight)
        solution = np.linalg.lstsq(w[:, None] * matrix, w * data, rcond=None)[0]
        return solution, ((w * (matrix @ solution - data)) ** 2).sum() / (sum(ramp) - len(columns))

    at_peak = [p.get(q, 0.0) for q in rows]
    x1, q1 = fit([at_peak, *rest])
    x2, q2 = fit([at_peak, *rest, *moved])
    good1 = q1 < config.psf_chisq1 and x1[0] > 0
    center, flux, best = (y, x), x1[0], q1
    good2 = q2 < config.psf_chisq2 and x2[0] > 0
    if good2:
        dy, dx = x2[-2] / x2[0], x2[-1] / x2[0]
        place = (y + dy, x + dx)
        good2 = abs(dy) < 1 and abs(dx) < 1
        if good2:
            shifted = {q: v for q, v in sky.stamp(*place).items() if sky.in_box(q)}
            x3, q3 = fit([[shifted.get(q, 0.0) for q in rows], *rest])
            good2 = q3 < config.psf_chisq2b and x3[0] > 0
            if good2 and (not good1 or q3 < best):
                center, flux = place, x3[0]
    if not (good1 or good2):
        return None
    return {q: flux * v for q, v in sky.stamp(*center).items() if q in sky.member}


def _slope(p, q, d):
    """What a shift of the source along d adds at q: 0 at the ends of the stamp."""
    before, after = (q[0] - d[0], q[1] - d[1]), (q[0] + d[0], q[1] + d[1])
    return (p[before] - p[after]) / 2 if q in p and before in p and after in p else 0.0


# --- symmetric templates ---------------------------------------------------------------------------------------------


def _galaxy(sky, k, config):
    center = sky.peaks[k]
    template = _symmetric(lambda q: sky.image[q], sky.member, center)
    if config.edge_handling == "ramp":
        template = _ramp(sky, template, center)
    y0, y1, x0, x1 = _box(template)
    # Smoothing spreads light over the whole box; only what lies on the template's own pixels is kept in the end.
    everywhere = {(y, x): template.get((y, x), 0.0) for y in range(y0, y1 + 1) for x in range(x0, x1 + 1)}
    if config.median_smooth_template:
        everywhere = _median(everywhere, config.median_filter_halfsize)
    if config.monotonic_template:
        everywhere = _monotone(everywhere, center)
    return {q: everywhere[q] for q in template}


def _symmetric(value, member, center):
    template = {}
    for q in member:
        mirror = (2 * center[0] - q[0], 2 * center[1] - q[1])
        if mirror in member:
            template[q] = max(0.0, min(value(q), value(mirror)))
    return template


def _neighbours(q):
    return ((q[0] - 1, q[1]), (q[0] + 1, q[1]), (q[0], q[1] - 1), (q[0], q[1] + 1))


def _ramp(sky, template, center):
    edge = [q for q in template if any(n not in template for n in _neighbours(q))]
    if not any(template[q] >= 3 * sky.sigma1 for q in edge):
        return template
    s = 2 * int((1.5 * sky.fwhm + 0.5) / 2) + 1
    rows, columns = [q[0] for q in template], [q[1] for q in template]
    box = (min(rows) - s, max(rows) + s, min(columns) - s, max(columns) + s)
    disc = [(i, j) for i in range(-s, s + 1) for j in range(-s, s + 1) if i * i + j * j <= s * s]
    rim = [q for q in sky.member if any(n not in sky.member for n in _neighbours(q))]
    grown = set(sky.member) | {(q[0] + i, q[1] + j) for q in rim for i, j in disc}
    grown = {q for q in grown if box[0] <= q[0] <= box[1] and box[2] <= q[1] <= box[3]}
    middle = ((sky.y0 + sky.y1) // 2, (sky.x0 + sky.x1) // 2)
    stamp = sky.stamp(*middle)
    top = max(stamp.values())
    profile = {(q[0] - middle[0], q[1] - middle[1]): v / top for q, v in stamp.items()}
    profile = {d: v for d, v in profile.items() if abs(d[0]) <= s and abs(d[1]) <= s}
    shed = {}
    for e in edge:
        for d, v in profile.items():
            q = (e[0] + d[0], e[1] + d[1])
            shed[q] = max(shed.get(q, 0.0), template[e] * v)

    def value(q):
        own = sky.image[q] if sky.in_image(q) else 0.0
        return own if own != 0 else shed.get(q, 0.0)

    rebuilt = _symmetric(value, grown, center)
    return {q: v for q, v in rebuilt.items() if sky.in_image(q)}


def _box(template):
    rows, columns = [q[0] for q in template], [q[1] for q in template]
    return min(rows), max(rows), min(columns), max(columns)


def _median(template, h):
    y0, y1, x0, x1 = _box(template)
    if y1 - y0 < 2 * h or x1 - x0 < 2 * h:
        return template
    out = dict(template)
    for q in template:
        if y0 + h <= q[0] <= y1 - h and x0 + h <= q[1] <= x1 - h:
            around = [template[q[0] + i, q[1] + j] for i in range(-h, h + 1) for j in range(-h, h + 1)]
            out[q] = sorted(around)[len(around) // 2]
    return out


def _monotone(template, center):
    y0, y1, x0, x1 = _box(template)
    out = dict(template)
    reach = max(center[1] - x0, x1 + 1 - center[1], center[0] - y0, y1 + 1 - center[0])
    for first in range(0, reach, 5):
        source = dict(out)
        for ring in range(first, first + 5):
            for u, v, vertical in _ring(ring):
                value = source.get((center[0] + v, center[1] + u))
                if value is None:
                    continue
                for dv, du in _shadow(u, v, vertical):
                    q = (center[0] + dv, center[1] + du)
                    if q in out:
                        out[q] = min(out[q], value)
    return out


def _ring(ring):
    """Offsets (u, v) along x and y, walked in four legs, and whether a leg is vertical."""
    yield from ((ring, v, True) for v in range(-ring, ring))
    yield from ((u, ring, False) for u in range(ring, -ring, -1))
    yield from ((-ring, v, True) for v in range(ring, -ring, -1))
    yield from ((u, -ring, False) for u in range(-ring, ring))


def _shadow(u, v, vertical):
    along, across = (u, v) if vertical else (v, u)
    sign = 1 if along > 0 else -1
    low = across / along - 0.3
    high = low + 0.6
    for a in range(1, 6):
        for b in range(_round(a * low), _round(a * high) + 1):
            du, dv = (u + sign * a, v + sign * b) if vertical else (u + sign * b, v + sign * a)
            yield dv, du


def _round(z):
    """Halves away from zero."""
    whole = math.trunc(z)
    return whole + (int(math.copysign(1, z)) if abs(z - whole) >= 0.5 else 0)


def _trim(template):
    """Drop zeros at both ends of each run of a row."""
    out = {}
    for y in {q[0] for q in template}:
        columns = sorted(q[1] for q in template if q[0] == y)
        runs = [[columns[0]]]
        for x in columns[1:]:
            if x == runs[-1][-1] + 1:
                runs[-1].append(x)
            else:
                runs.append([x])
        for run in runs:
            filled = [x for x in run if template[y, x] != 0]
            out.update({(y, x): template[y, x] for x in run if filled and filled[0] <= x <= filled[-1]})
    return out


# --- who gets what ---------------------------------------------------------------------------------------------------


def _share(sky, templates, is_psf, config):
    children = [np.zeros(sky.image.shape) for _ in templates]
    reach = sky.member.union(*templates)
    for q in reach:
        weights = [max(0.0, t.get(q, 0.0)) for t in templates]
        total = sum(weights)
        if total > 0:
            for child, weight in zip(children, weights, strict=True):
                child[q] = sky.image[q] * weight / total
        elif config.shares_stray_flux and q in sky.member and sky.image[q] > 0:
            _stray(sky, q, is_psf, config, children)
    return children


def _stray(sky, q, is_psf, config, children):
    policy = config.stray_flux_to_point_sources
    part = [1 / (1 + (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) for p in sky.peaks]
    allowed = [policy == "always" or not star for star in is_psf]
    if policy == "necessary" and not any(allowed):
        allowed = [True] * len(is_psf)
    part = [c if a else 0.0 for c, a in zip(part, allowed, strict=True)]
    part = [c if c >= config.clip_stray_flux_fraction * sum(part) else 0.0 for c in part]
    for child, c in zip(children, part, strict=True):
        if c > 0:
            child[q] += sky.image[q] * c / sum(part)
