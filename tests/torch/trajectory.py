"""Values that test_torch_values.c compares with: second derivatives and the
derivative of a Langevin trajectory, from PyTorch in double precision with
create_graph.

    python3 tests/torch/trajectory.py > tests/torch/trajectory.txt

The network is conv2d(3 channels, kernel 3, stride 2, padding 1), swish,
flatten, dense(5), swish, dense(1) on images [5, 4, 2]. All arrays of the file
are in the library's order: samples [height, width, channels], convolution
weights [kernel, kernel, in, out], dense weights [in, out].

The noise of the trajectory is in the file, so that both sides walk the same
path:

    y = clamp(x + noise),  x' = clamp(y - step clip(grad E(y)))

L_opt = -mean E(x_T) with the parameters at its end held constant.
"""
import torch
import torch.nn.functional as F

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)

N, HEIGHT, WIDTH, CHANNELS = 4, 5, 4, 2
STEPS, STEP, CLIP, LOW, HIGH = 3, 0.5, 0.25, -0.75, 0.5
KINK = 1e-3  # nothing comes this near to clip or bounds


def as_float(t):
    """Values that a float holds exactly."""
    return t.to(torch.float32).to(torch.float64)


def draw_parameters():
    shapes = [(3, 2, 3, 3), (3,), (5, 18), (5,), (1, 5), (1,)]
    return [as_float(torch.randn(s) * 0.7).requires_grad_() for s in shapes]


def energy(p, x):
    h = F.silu(F.conv2d(x, p[0], p[1], stride=2, padding=1))
    h = h.permute(0, 2, 3, 1).flatten(1)  # row, column, channel
    h = F.silu(F.linear(h, p[2], p[3]))
    return F.linear(h, p[4], p[5])[:, 0]


def slope(p, x):
    return torch.autograd.grad(energy(p, x).sum(), x, create_graph=True)[0]


def clamp(x, low, high, facts):
    facts["margin"] = min(facts["margin"], (x - low).abs().min().item(),
                          (x - high).abs().min().item())
    facts["clamped"].append(((x < low) | (x > high)).sum().item())
    return x.clamp(low, high)


def walk(p, x, noise, through):
    """The final states, differentiable through the last steps only."""
    facts = {"margin": 1.0, "clamped": []}
    for t in range(STEPS):
        if t == STEPS - through:
            x = x.detach()
        y = clamp(x + noise[t], LOW, HIGH, facts)
        if not y.requires_grad:
            y.requires_grad_()
        g = clamp(slope(p, y), -CLIP, CLIP, facts)
        x = clamp(y - STEP * g, LOW, HIGH, facts)
    return x, facts


def flat(gradients):
    """Parameter arrays in the library's order."""
    conv, conv_bias, dense, dense_bias, last, last_bias = gradients
    parts = [conv.permute(2, 3, 1, 0), conv_bias, dense.t(), dense_bias,
             last.t(), last_bias]
    return torch.cat([part.reshape(-1) for part in parts])


def rows(x):
    return x.permute(0, 2, 3, 1).reshape(-1)


def put(name, values):
    values = values.detach().reshape(-1).tolist()
    print(name, len(values))
    for i in range(0, len(values), 6):
        print(" ".join("%.10g" % v for v in values[i:i + 6]))


def main():
    # A direction, a sample and a path that are nowhere near a kink.
    while True:
        p = draw_parameters()
        start = as_float(torch.randn(N, CHANNELS, HEIGHT, WIDTH) * 0.7)
        noise = as_float(torch.randn(STEPS, *start.shape) * 0.3)
        facts = walk(p, start, noise, STEPS)[1]
        counts = facts["clamped"]
        firsts, clips, lasts = counts[0::3], counts[1::3], counts[2::3]
        if facts["margin"] > KINK and min(firsts + clips + lasts) > 8:
            break
    x = as_float(torch.randn(N, CHANNELS, HEIGHT, WIDTH)).requires_grad_()
    v = as_float(torch.randn(N, CHANNELS, HEIGHT, WIDTH))
    scale = as_float(torch.randn(N))

    put("parameters", flat(p))
    put("x", rows(x))
    put("v", rows(v))
    put("scale", scale)
    put("energy", energy(p, x))
    hv = torch.autograd.grad((slope(p, x) * v).sum(), x)[0]
    put("hv", rows(hv))
    per_sample = (slope(p, x) * v).flatten(1).sum(1)
    mixed = torch.autograd.grad((per_sample * scale).sum(), p,
                                allow_unused=True)
    mixed = [torch.zeros_like(q) if m is None else m
             for m, q in zip(mixed, p)]
    put("mixed", flat(mixed))

    put("start", rows(start))
    put("noise", torch.cat([rows(step) for step in noise]))
    constant = [q.detach() for q in p]
    for through in (1, STEPS):
        end = walk(p, start, noise, through)[0]
        if through == 1:
            put("end", rows(end))
        loss = -energy(constant, end).mean()
        gradients = torch.autograd.grad(loss, p, allow_unused=True)
        gradients = [torch.zeros_like(q) if g is None else g
                     for g, q in zip(gradients, p)]
        if through == 1:
            put("opt", loss)
        put("opt_%d" % through, flat(gradients))


if __name__ == "__main__":
    main()
