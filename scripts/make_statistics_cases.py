#!/usr/bin/env python3
"""Writes tests/fixtures/statistics/cases.json: inputs and what scipy and statsmodels make of them.

Needs numpy, scipy and statsmodels; run it only to add cases. Every expected value comes from those
libraries, from exact rational arithmetic, or from a numerical search over the likelihood itself,
never from keju.
"""
import json
import math
import pathlib
from fractions import Fraction

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/statistics/cases.json"
rng = np.random.default_rng(20240817)


def distributions():
    return {
        "normal_cdf": [[x, stats.norm.cdf(x)] for x in (-37.0, -8.2, -1.96, -0.3, 0.0, 0.7, 3.1)],
        "normal_quantile": [[p, stats.norm.ppf(p)] for p in (1e-200, 1e-9, 0.025, 0.05, 0.3, 0.5, 0.8, 0.975)],
        "beta": [[a, b, x, special.betainc(a, b, x)] for a, b, x in
                 ((0.5, 0.5, 0.1), (2, 3, 0.4), (50, 0.5, 0.97), (5000, 6000, 0.45), (1, 1, 0.3), (300, 2, 0.999))],
        "student_cdf": [[t, df, stats.t.cdf(t, df)] for t, df in
                        ((-2.0, 1), (-12.7, 1), (1.5, 3.7), (0.0, 9), (2.2, 49), (-4.0, 1e4))],
        "student_quantile": [[p, df, stats.t.ppf(p, df)] for p, df in
                             ((0.975, 1), (0.95, 2.5), (0.025, 9), (0.9, 49), (0.975, 12000))],
        "binomial_cdf": [[k, n, p, stats.binom.cdf(k, n, p)] for k, n, p in
                         ((0, 5, 0.5), (3, 10, 0.5), (40, 100, 0.5), (7, 1000, 0.01), (5700, 11582, 0.5))],
        "binomial_pmf": [[k, n, p, stats.binom.pmf(k, n, p)] for k, n, p in
                         ((0, 5, 0.5), (3, 10, 0.2), (5, 5, 0.9), (500, 1000, 0.5))],
    }


def wilson():
    return [[k, n, *proportion_confint(k, n, method="wilson")] for k, n in
            ((0, 20), (1, 29), (81, 263), (15, 148), (20, 20), (6123, 11582))]


def clustered(x, groups):
    """Mean and cluster-robust error by statsmodels: a regression on a constant."""
    fit = sm.OLS(x, np.ones(len(x))).fit(cov_type="cluster", cov_kwds={"groups": np.asarray(groups)})
    return float(fit.params[0]), float(fit.bse[0])


def designs():
    out = []
    for n, per in ((30, 1), (60, 3), (200, 10)):
        groups = np.arange(n) // per
        x = (rng.random(n) + 0.5 * rng.random(n // per + 1)[groups] > 0.7).astype(float)
        mean, se = clustered(x, groups)
        out.append({"values": x.tolist(), "clusters": groups.tolist(), "strata": [], "weights": "items",
                    "value": mean, "se": se, "df": len(set(groups)) - 1})
    for weights in ("items", "strata"):
        sizes, values, clusters, strata = (12, 31, 8, 50), [], [], []
        value, variance = 0.0, 0.0
        for k, size in enumerate(sizes):
            groups = np.arange(size) // (k + 1)
            x = rng.normal(k, 1 + k, size)
            mean, se = clustered(x, groups)
            w = 1 / len(sizes) if weights == "strata" else size / sum(sizes)
            value += w * mean
            variance += (w * se) ** 2
            values += x.tolist()
            clusters += (groups + 1000 * k).tolist()
            strata += [k] * size
        out.append({"values": values, "clusters": clusters, "strata": strata, "weights": weights,
                    "value": value, "se": math.sqrt(variance), "df": len(set(clusters)) - len(sizes)})
    return out


def mcnemar_cases():
    out = []
    for b, c in ((0, 0), (0, 1), (1, 0), (3, 9), (10, 10), (0, 12), (25, 60), (400, 471)):
        exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue if b + c else 1.0
        mid = min(1.0, exact - stats.binom.pmf(min(b, c), b + c, 0.5)) if b + c else 1.0
        if b == c and b:
            mid = min(1.0, 2 * stats.binom.cdf(b, 2 * b, 0.5) - stats.binom.pmf(b, 2 * b, 0.5))
        out.append([b, c, float(exact), float(mid)])
    return out


def score_statistic(b, c, n, d):
    """The score test by maximising the trinomial likelihood numerically under p12 - p21 = d."""
    def loss(q):  # q = p21
        p12, rest = q + d, 1 - 2 * q - d
        return -sum(k * math.log(max(p, 1e-300)) for k, p in ((b, p12), (c, q), (n - b - c, rest)) if k > 0)
    low, high = max(0.0, -d), (1 - d) / 2
    q = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-14}).x
    q = min((low + 1e-15, high - 1e-15, q), key=loss)
    return (b - c - n * d) / math.sqrt(n * (2 * q + d - d * d))


def paired_scores():
    statistic = [[b, c, n, d, score_statistic(b, c, n, d)] for b, c, n, d in
                 ((5, 12, 100, 0.0), (5, 12, 100, -0.05), (0, 3, 200, -0.05), (40, 41, 1346, 0.02), (7, 0, 50, 0.1))]
    interval = []
    for b, c, n in ((5, 12, 100), (40, 41, 1346), (1, 3, 44), (9, 2, 60)):
        z = stats.norm.ppf(0.975)
        low = optimize.brentq(lambda d: score_statistic(b, c, n, d) - z, -0.99, (b - c) / n)
        high = optimize.brentq(lambda d: score_statistic(b, c, n, d) + z, (b - c) / n, 0.99)
        interval.append([b, c, n, low, high])
    return {"statistic": statistic, "interval": interval}


def multiplicity():
    out = []
    for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.5], [0.001], [0.2, 0.01, 0.01, 0.9, 0.04, 0.049]):
        out.append({"p": p, "holm": multipletests(p, method="holm")[1].tolist(),
                    "bh": multipletests(p, method="fdr_bh")[1].tolist()})
    return out


def pass_at_k():
    out = []
    for n, c, k in ((10, 3, 1), (10, 3, 5), (200, 7, 100), (5, 5, 2), (5, 0, 3), (100, 99, 10), (20, 18, 4)):
        total = math.comb(n, k)
        least = (k + 1) // 2
        tail = sum(Fraction(math.comb(c, m) * math.comb(n - c, k - m), total) for m in range(least, k + 1))
        out.append({"n": n, "c": c, "k": k, "least": least,
                    "pass": float(1 - Fraction(math.comb(n - c, k), total)),
                    "all": float(Fraction(math.comb(c, k), total)), "at_least": float(tail)})
    return out


def bradley_terry():
    out = []
    for models, votes in ((3, 60), (6, 400)):
        truth = rng.normal(0, 1, models)
        first = rng.integers(0, models, votes)
        second = (first + rng.integers(1, models, votes)) % models
        win = (rng.random(votes) < 1 / (1 + np.exp(truth[second] - truth[first]))).astype(float)
        win[:: 7] = 0.5
        x = np.zeros((votes, models))
        x[np.arange(votes), first] = 1
        x[np.arange(votes), second] = -1
        fit = sm.GLM(win, x[:, 1:], family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
        raw = np.concatenate([[0.0], fit.params])
        covariance = np.zeros((models, models))
        covariance[1:, 1:] = fit.cov_params()
        centre = np.eye(models) - 1 / models
        out.append({"models": models, "first": first.tolist(), "second": second.tolist(), "share": win.tolist(),
                    "value": (centre @ raw).tolist(),
                    "se": np.sqrt(np.diag(centre @ covariance @ centre.T)).tolist()})
    return out


def power():
    """The textbook effect, and the exact power of a search over the trinomial is left to the tests."""
    z = stats.norm.ppf
    return [[n, q, (z(0.975) + z(0.8)) * math.sqrt(q / n)] for n, q in ((1346, 0.05), (12342, 0.1), (164, 0.2))]


def betting():
    """Wealth of the same grid of gamblers, in exact rational arithmetic."""
    stakes = [Fraction(95, 100) * Fraction(3, 4) ** i for i in range(24)]
    xs = [Fraction(1, 2), Fraction(-1, 4), Fraction(1), Fraction(0), Fraction(-1), Fraction(3, 4), Fraction(1)]
    wealth = [Fraction(1)] * len(stakes)
    evidence = []
    for x in xs:
        wealth = [w * (1 + s * x) for w, s in zip(wealth, stakes)]
        evidence.append(float(sum(wealth) / len(wealth)))
    return {"x": [float(x) for x in xs], "evidence": evidence}


def main():
    cases = {"made_by": f"scripts/make_statistics_cases.py, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
             "distributions": distributions(), "wilson": wilson(), "designs": designs(), "mcnemar": mcnemar_cases(),
             "paired_scores": paired_scores(), "multiplicity": multiplicity(), "pass_at_k": pass_at_k(),
             "bradley_terry": bradley_terry(), "power": power(), "betting": betting()}
    text = json.dumps(cases, default=float)
    OUT.write_text(text.replace('}, "', '},\n"').replace("], [", "],\n[") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
