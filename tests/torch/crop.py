"""Values that test_transition_crop.c compares with: crops and rescaled images
by torchvision.

    python3 tests/torch/crop.py > tests/torch/crop.txt

Needs torchvision (Debian: python3-torchvision). Images are in the library's
order [height, width, channels]. Each array is a name, a count, and its
numbers:

    image      [9, 8, 2]; values in [-1, 1.5], the extremes among them
    boxes      rows of: interpolation (1 linear, 2 cubic), top, left, height,
               width
    crop_K     the crop of row K, resized to [9, 8] (antialias=True, whose
               cubic kernel has a = -0.5), clamped to [-1, 1.5]
    square     [12, 12, 1]
    scales     rows of: interpolation, boundary, factor
    rescale_K  the square image shrunk about its centre: continued by
               numpy.pad far beyond the edge, resized, cut out
"""
import numpy as np
import torch
import torchvision.transforms.functional as F
from torchvision.transforms import InterpolationMode

LOW, HIGH = -1.0, 1.5
MODES = {1: InterpolationMode.BILINEAR, 2: InterpolationMode.BICUBIC}
BOXES = [(0, 0, 9, 7), (3, 2, 5, 6), (8, 7, 1, 1), (0, 4, 1, 4),
         (1, 0, 8, 1), (1, 1, 2, 2), (2, 3, 7, 5), (0, 0, 5, 4)]
PADS = ("constant", "edge", "symmetric", "reflect", "wrap")
# factor: margin seen on each side, and how many more pixels to pad so that
# the wider image shrinks to whole pixels too
SCALES = {0.75: (2, 8), 0.5: (6, 4)}


def show(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    print(name, values.size)
    for i in range(0, values.size, 8):
        print(*("%.7g" % v for v in values[i:i + 8]))


def draw(height, width, channels):
    x = LOW + (HIGH - LOW) * torch.rand(channels, height, width)
    x[:, 0, 0], x[:, 4, 4], x[:, 4, 5] = HIGH, LOW, HIGH
    return x.to(torch.float32).to(torch.float64)


def last(x):
    return x.clamp(LOW, HIGH).permute(1, 2, 0).numpy()


torch.manual_seed(2)
torch.set_default_dtype(torch.float64)
image = draw(9, 8, 2)
show("range", [LOW, HIGH])
show("image", last(image))
rows = [(mode, *box) for mode in MODES for box in BOXES]
show("boxes", rows)
for k, (mode, *box) in enumerate(rows):
    show(f"crop_{k}", last(F.resized_crop(image, *box, [9, 8], MODES[mode],
                                          antialias=True)))
square = draw(12, 12, 1)
show("square", last(square))
rows = [(mode, pad, scale) for mode in MODES for pad in range(len(PADS))
        for scale in SCALES]
show("scales", rows)
for k, (mode, pad, scale) in enumerate(rows):
    seen, more = SCALES[scale]
    fill = {"constant_values": LOW} if PADS[pad] == "constant" else {}
    wide = np.pad(square[0].numpy(), seen + more, mode=PADS[pad], **fill)
    side = round(wide.shape[0] * scale)
    small = F.resize(torch.from_numpy(wide)[None], [side, side], MODES[mode],
                     antialias=True)
    cut = round(more * scale)
    show(f"rescale_{k}", last(small[:, cut:cut + 12, cut:cut + 12]))
