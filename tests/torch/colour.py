"""Values that test_colour.c compares with: colour jitter, grayscale and
Gaussian blur by torchvision's functional transforms.

    python3 tests/torch/colour.py > tests/torch/colour.txt

Needs torchvision (Debian: python3-torchvision). Images are in the library's
order [height, width, channels]; their values are in [LOW, HIGH] and are
mapped to [0, 1] and back around torchvision's part. Each array is a name, a
count, and its numbers:

    jitters   rows of: channels, the four steps in order (0 brightness, 1
              contrast, 2 saturation, 3 hue; -1: none), their four amounts
              (by step, not by order)
    blurs     rows of: height, width, channels, side, sigma
"""
import torch
import torchvision.transforms.functional as F

LOW, HIGH = -1.0, 1.5
HEIGHT, WIDTH = 5, 6
STEPS = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation,
         F.adjust_hue)

torch.manual_seed(6)
torch.set_default_dtype(torch.float64)


def as_float(t):
    return t.to(torch.float32).to(torch.float64)


def draw_image(height, width, channels):
    """Uniform values with, among them, greys and pixels of equal largest or
    smallest channels, where the hue is decided by cases."""
    x = torch.rand(channels, height, width)
    if channels == 3:
        flat = x.view(3, -1)
        flat[:, 0] = 0.25
        flat[:, 1] = 0.0
        flat[:, 2] = 1.0
        flat[1, 3] = flat[0, 3]
        flat[2, 4] = flat[1, 4]
        flat[0, 5] = flat[2, 5]
        flat[:, 6] = torch.tensor([1.0, 0.0, 0.0])
        flat[:, 7] = torch.tensor([0.0, 1.0, 0.0])
        flat[:, 8] = torch.tensor([0.0, 0.0, 1.0])
    return as_float(LOW + (HIGH - LOW) * x)


def to_unit(x):
    return ((x - LOW) / (HIGH - LOW)).clamp(0, 1)


def from_unit(x):
    return LOW + (HIGH - LOW) * x


def put(name, values):
    values = torch.as_tensor(values, dtype=torch.float64).reshape(-1).tolist()
    print(name, len(values))
    for i in range(0, len(values), 8):
        print(" ".join("%.8g" % v for v in values[i:i + 8]))


def put_image(name, x):
    put(name, x.permute(1, 2, 0))


def main():
    jitters = []
    for step in range(4):
        for low in (True, False):
            amounts = [0.0, 0.0, 0.0, 0.0]
            amounts[step] = ((0.2 if low else 1.8) if step < 3
                             else (-0.4 if low else 0.4))
            jitters.append((3, [step, -1, -1, -1], amounts))
    jitters += [(3, [3, -1, -1, -1], [0.0, 0.0, 0.0, h])
                for h in (-0.5, -0.05, 0.0, 0.17, 0.5)]
    for _ in range(12):
        amounts = torch.rand(4) * 1.6 + 0.2
        amounts[3] = torch.rand(()) * 0.8 - 0.4
        jitters.append((3, torch.randperm(4).tolist(), amounts.tolist()))
    jitters += [(1, [0, 1, -1, -1], [1.4, 0.5, 0.0, 0.0]),
                (1, [1, 0, -1, -1], [0.6, 1.7, 0.0, 0.0])]
    put("range", [LOW, HIGH])
    put("jitters", [[c] + order + amounts for c, order, amounts in jitters])
    for k, (channels, order, amounts) in enumerate(jitters):
        x = draw_image(HEIGHT, WIDTH, channels)
        y = to_unit(x)
        for step in order:
            if step >= 0:
                y = STEPS[step](y, amounts[step])
        put_image("image_%d" % k, x)
        put_image("jittered_%d" % k, from_unit(y))

    x = draw_image(HEIGHT, WIDTH, 3)
    put_image("colours", x)
    put_image("greys", from_unit(F.rgb_to_grayscale(to_unit(x), 3)))

    blurs = [(5, 6, 3, 3, 0.1), (5, 6, 3, 3, 0.9), (9, 7, 1, 5, 1.3),
             (7, 9, 3, 7, 2.0), (8, 17, 2, 15, 1.9), (2, 2, 1, 3, 0.7)]
    put("blurs", blurs)
    for k, (height, width, channels, side, sigma) in enumerate(blurs):
        x = as_float(LOW + (HIGH - LOW) * torch.rand(channels, height, width))
        put_image("sharp_%d" % k, x)
        put_image("blurred_%d" % k, F.gaussian_blur(x, [side, side],
                                                    [sigma, sigma]))


if __name__ == "__main__":
    main()
