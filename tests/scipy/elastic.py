"""Values that test_elastic.c compares with: displacement fields and elastic
warps by scipy.ndimage.map_coordinates, in double precision.

    python3 tests/scipy/elastic.py > tests/scipy/elastic.txt

Needs SciPy 1.6 or later (Debian: python3-scipy). Each array is a name, a
count, and its numbers. "cases" has a row of numbers a case:

    points height width order mode folds

where mode is the place in MODES and folds counts the pixels at which the
Jacobian determinant of the map is not positive. A case k has arrays
controls_k [2, P, P] (y, x), field_k [2, height, width], image_k [height,
width], and warped_k, of values between LOW and HIGH and clipped to them.
"""
import numpy as np
from scipy.ndimage import map_coordinates

LOW, HIGH = -1.0, 1.5
MODES = ("constant", "nearest", "reflect", "mirror", "grid-wrap")
MARGIN = 1e-3  # nothing comes this near to where a result jumps

random = np.random.default_rng(5)


def grid_places(points, n, beside=0.0):
    if n == 1:
        return np.zeros(1)
    return (points - 1) * (np.arange(n) + beside) / (n - 1)


def field_of(controls, height, width, down=0.0, across=0.0):
    """The interpolating cubic spline through the displacements, mirrored at
    the edge of the grid; at the pixels, or so much beside them."""
    points = controls.shape[-1]
    at = np.meshgrid(grid_places(points, height, down),
                     grid_places(points, width, across), indexing="ij")
    return np.stack([map_coordinates(d, at, order=3, mode="mirror")
                     for d in controls])


def determinant(controls, height, width, h=1e-4):
    by_y = (field_of(controls, height, width, h)
            - field_of(controls, height, width, -h)) / (2 * h)
    by_x = (field_of(controls, height, width, 0, h)
            - field_of(controls, height, width, 0, -h)) / (2 * h)
    return (1 + by_y[0]) * (1 + by_x[1]) - by_y[1] * by_x[0]


def margin(places, n, order, mode):
    """Distance from what jumps: the edge of a constant, the middle between
    two samples when the nearest is taken."""
    nearest = np.inf
    if mode == "constant":
        nearest = min(np.abs(places).min(), np.abs(places - (n - 1)).min())
    if order == 0:
        nearest = min(nearest,
                      np.abs(places - np.floor(places) - 0.5).min())
    return nearest


def draw(points, height, width, order, mode, std):
    while True:
        controls = random.normal(0, std, (2, points, points))
        controls = controls.astype(np.float32).astype(float)
        field = field_of(controls, height, width)
        y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
        places = [y + field[0], x + field[1]]
        det = determinant(controls, height, width)
        if min(np.abs(det).min(),
               *(margin(p, n, order, mode)
                 for p, n in zip(places, (height, width)))) > MARGIN:
            return controls, field, places, (det <= 0).sum()


def as_float(values):
    return values.astype(np.float32).astype(float)


def put(name, values):
    values = np.asarray(values, dtype=float).reshape(-1)
    print(name, len(values))
    for i in range(0, len(values), 8):
        print(" ".join("%.7g" % v for v in values[i:i + 8]))


def main():
    cases = []
    for mode in range(len(MODES)):
        for order in (0, 1, 3):
            cases.append((3, 9, 11, order, mode, 1.5))
    cases += [
        (2, 5, 7, 3, 0, 1.0), (5, 12, 8, 3, 3, 0.7), (8, 6, 19, 3, 1, 0.8),
        (4, 17, 14, 3, 0, 1.0), (4, 1, 6, 3, 2, 0.8), (3, 7, 1, 1, 3, 0.8),
        (3, 2, 3, 3, 4, 3.0), (3, 3, 2, 3, 1, 9.0), (3, 6, 5, 3, 3, 20.0),
        (3, 6, 5, 3, 2, 20.0), (3, 6, 5, 3, 4, 20.0), (3, 6, 5, 3, 1, 20.0)]
    put("range", [LOW, HIGH])
    table = []
    for k, (points, height, width, order, mode, std) in enumerate(cases):
        controls, field, places, folds = draw(points, height, width, order,
                                              MODES[mode], std)
        image = as_float(random.uniform(LOW, HIGH, (height, width)))
        warped = map_coordinates(image, places, order=order, mode=MODES[mode],
                                 cval=LOW)
        table.append((points, height, width, order, mode, folds))
        put("controls_%d" % k, controls)
        put("field_%d" % k, field)
        put("image_%d" % k, image)
        put("warped_%d" % k, warped.clip(LOW, HIGH))
    put("cases", table)


if __name__ == "__main__":
    main()
