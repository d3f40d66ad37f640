"""Values that test_diagnostics_values.c compares with: the published formulas,
written down with NumPy and SciPy, and what scikit-learn has of its own.

    python3 tests/scipy/diagnostics.py > tests/scipy/diagnostics.txt

Inputs are in the file too, as short decimals. Sources:

- Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021, Rank-normalization,
  folding, and localization: an improved R-hat (equation numbers below);
- Geyer 1992, Practical Markov chain Monte Carlo: the initial monotone
  sequence; its end for antithetic chains as in Stan's reference manual;
- Heusel et al. 2017 (Frechet distance), with scipy.linalg.sqrtm;
- Gretton et al. 2012, eq. 3 (unbiased MMD), with scikit-learn's kernels;
- scikit-learn: roc_auc_score, NearestNeighbors;
- SciPy: rankdata, norm.ppf, digamma, gammaln.
"""
import numpy as np
from scipy import linalg, special, stats
from sklearn import metrics, neighbors

random = np.random.Generator(np.random.Philox(6))


# ---- The file: a name, a count, the numbers ---------------------------------

def put(name, values, form=".17g"):
    values = np.ravel(np.asarray(values, dtype=float))
    print(name, len(values))
    for first in range(0, len(values), 8):
        print(*(format(v, form) for v in values[first:first + 8]))


def given(name, values, digits=4):
    """Writes an input and returns what a reader of the file gets."""
    values = np.round(values, digits)
    put(name, values, f".{digits}f")
    return values


def as_float(values):
    return np.asarray(values, dtype=np.float32).astype(float)


# ---- Draws [chains, n] ------------------------------------------------------

def autocovariance(x):
    """Of each row, divided by n at every lag, through the power spectrum."""
    n = x.shape[-1]
    off = x - x.mean(axis=-1, keepdims=True)
    spectrum = np.fft.rfft(off, 2 * n)
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * n)[..., :n] / n


def combined_autocorrelation(x):
    """Eq. 10, all lags."""
    chains, n = x.shape
    s = x.var(axis=1, ddof=1)
    within = s.mean()
    between = n * x.mean(axis=1).var(ddof=1) if chains > 1 else 0.
    total = (n - 1) / n * within + between / n
    rho = 1 - (within - autocovariance(x).mean(axis=0)) / total
    rho[0] = 1
    return rho


def autocorrelation_time(x):
    """1 + 2 sum rho, by pairs P_k = rho_2k + rho_2k+1: the first pairs that
    are not negative, made monotone."""
    chains, n = x.shape
    rho = combined_autocorrelation(x)
    # The last lags have hardly a term: pairs end before n - 1.
    last = max(0, (n - 3) // 2)
    pairs = [rho[0] + rho[1]]
    k = 0
    while k < last and pairs[-1] > 0:
        k += 1
        pairs.append(rho[2 * k] + rho[2 * k + 1])
    # pairs[k] is the first that is not positive, or the last there is: of
    # that one only the even term counts, and only if positive.
    rest = max(rho[2 * k], 0.)
    # If the sum ran to the end its last pair may be positive; a pair of 0
    # exactly does not occur with these numbers.
    if k and rho[2 * k] <= 0 and pairs[k] >= 0:
        rest = rho[2 * k]
    monotone = np.minimum.accumulate(pairs[:k]) if k else np.zeros(0)
    time = -1 + 2 * monotone.sum() + rest
    return max(time, 1 / np.log10(chains * n))


def split(x):
    half = x.shape[1] // 2
    return np.concatenate([np.stack([row[:half], row[-half:]]) for row in x])


def normal_scores(x):
    """Eq. 14."""
    ranks = stats.rankdata(x, method="average").reshape(x.shape)
    return stats.norm.ppf((ranks - 3 / 8) / (x.size + 1 / 4))


def ess(x):
    return x.size / autocorrelation_time(x)


def ess_bulk(x):
    return ess(normal_scores(split(x)))


def ess_tail(x):
    both = []
    for p in (0.05, 0.95):
        indicator = split((x <= np.quantile(x, p)).astype(float))
        both.append(indicator.size if np.ptp(indicator) == 0
                    else ess(indicator))
    return min(both)


def basic_r_hat(x):
    """Eqs. 1 to 4."""
    n = x.shape[1]
    between = n * x.mean(axis=1).var(ddof=1)
    within = x.var(axis=1, ddof=1).mean()
    return np.sqrt(((n - 1) / n * within + between / n) / within)


def r_hat(x):
    halves = split(x)
    folded = np.abs(halves - np.median(halves))
    parts = [basic_r_hat(normal_scores(halves))]
    if np.ptp(folded):
        parts.append(basic_r_hat(normal_scores(folded)))
    return max(parts)


def autoregression(chains, n, a, noise):
    x = np.zeros((chains, n))
    state = noise(chains) / np.sqrt(1 - a * a)
    for i in range(n):
        x[:, i] = state
        state = a * state + noise(chains)
    return x


def normal(size):
    return random.standard_normal(size)


def heavy(size):
    return random.standard_cauchy(size)


DRAWS = {
    "independent": normal((4, 50)),
    "slow": autoregression(4, 101, 0.9, normal),
    "antithetic": autoregression(3, 40, -0.7, normal),
    "apart": autoregression(4, 60, 0.5, normal) + np.arange(4)[:, None],
    "scales": normal((4, 50)) * np.array([1, 1, 1, 4.])[:, None],
    "heavy": autoregression(2, 80, 0.6, heavy),
    "offset": autoregression(4, 30, 0.3, normal) + 10000,
    "ties": np.round(2 * autoregression(3, 61, 0.7, normal)) / 2,
    "binary": (autoregression(4, 33, 0.5, normal) > 0).astype(float),
    "trend": np.linspace(0, 5, 64)[None] + 0.3 * normal((2, 64)),
    "stuck": np.repeat([[1.], [2], [4]], 24, axis=1),
    "single": autoregression(1, 90, 0.8, normal),
    "short": normal((2, 8)),
}


def put_draws():
    for name, x in DRAWS.items():
        put(name + ".shape", x.shape, ".0f")
        x = given(name, x)
        lags = min(20, x.shape[1] - 1)
        if np.ptp(x[0]):
            rho = autocovariance(x[0])
            put(name + ".rho", (rho / rho[0])[:lags + 1])
        put(name + ".time", autocorrelation_time(x))
        put(name + ".bulk", ess_bulk(x))
        put(name + ".tail", ess_tail(x))
        put(name + ".mean", ess(split(x)))
        # NumPy would divide by 0 where each chain is constant.
        put(name + ".rhat", 0 if name == "stuck" else r_hat(x))
    p = np.concatenate([np.logspace(-12, -1, 12), np.linspace(0.11, 0.99, 23)])
    put("quantile.p", p)
    put("quantile.x", stats.norm.ppf(p))


# ---- Sets -------------------------------------------------------------------

def frechet(x, y):
    c, d = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.real(linalg.sqrtm(c @ d))
    return (((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
            + np.trace(c + d - 2 * root))


def mmd(kernel, x, y):
    n, m = len(x), len(y)
    xx, yy = kernel(x, x), kernel(y, y)
    return ((xx.sum() - np.trace(xx)) / (n * (n - 1))
            + (yy.sum() - np.trace(yy)) / (m * (m - 1))
            - 2 * kernel(x, y).mean())


def entropy(x, k):
    n, d = x.shape
    rho = np.sort(linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, k]
    return (special.digamma(n) - special.digamma(k) + d / 2 * np.log(np.pi)
            - special.gammaln(d / 2 + 1) + d * np.log(rho).mean())


def put_sets():
    mix = normal((6, 6)) / 2
    x = as_float(given("x", normal((70, 6)) @ mix))
    y = as_float(given("y", normal((90, 6)) @ mix * 1.2 + 0.5))
    put("frechet", frechet(x, y))
    # Of fewer samples than dimensions: covariances without full rank.
    wide = as_float(given("wide", normal((12, 20))))
    tall = as_float(given("tall", normal((60, 20))))
    put("frechet.wide", frechet(wide, tall))
    width, degree, scale, offset = 1.5, 3, 1 / 6, 1.
    put("mmd.rbf", mmd(lambda a, b: metrics.pairwise.rbf_kernel(
        a, b, gamma=1 / (2 * width ** 2)), x, y))
    put("mmd.polynomial", mmd(lambda a, b: metrics.pairwise.polynomial_kernel(
        a, b, degree=degree, gamma=scale, coef0=offset), x, y))
    distance, index = neighbors.NearestNeighbors(
        n_neighbors=3, algorithm="brute").fit(y).kneighbors(x)
    put("nearest.index", index, ".0f")
    put("nearest.distance", distance)
    put("entropy.1", entropy(x, 1))
    put("entropy.3", entropy(x, 3))
    low = as_float(given("low", normal(60)))
    high = as_float(given("high", normal(40) + 1))
    put("auroc", metrics.roc_auc_score(
        np.repeat([0, 1], [60, 40]), np.concatenate([low, high])))
    low = as_float(given("low.ties", np.round(normal(50) * 2) / 2, 1))
    high = as_float(given("high.ties", np.round(normal(70) * 2) / 2, 1))
    put("auroc.ties", metrics.roc_auc_score(
        np.repeat([0, 1], [50, 70]), np.concatenate([low, high])))


if __name__ == "__main__":
    put_draws()
    put_sets()
