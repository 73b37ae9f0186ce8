"""The incomplete beta function and its inverse, which exact bounds of shares are read from.

SciPy has both, and 113 MB; nothing else that runs needs it (docs/decisions/0014-no-scipy-to-run.md).
"""

from __future__ import annotations

import math

_TINY = 1e-300  # takes the place of a denominator of nought
_TERMS = 100_000  # of the continued fraction at most; it takes some times the root of a and b


def incomplete(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a and b above 0 and x in 0..1.

    Its continued fraction (https://dlmf.nist.gov/8.17.E22), evaluated from the front (Lentz, Applied Optics
    1976, as modified by Thompson and Barnett, 1986).

    Raises ArithmeticError where it does not converge.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast below that
        return 1 - incomplete(b, a, 1 - x)
    logarithm = _log_one_over_beta(a, b) + a * math.log(x) + b * math.log1p(-x)
    fraction, above, below = 1.0, 1.0, 0.0
    for term in range(_TERMS):
        m = term // 2
        if term == 0:
            numerator = 1.0
        elif term % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        below = 1 / (1 + numerator * below or _TINY)
        above = 1 + numerator / above or _TINY
        change = above * below
        fraction *= change
        if abs(change - 1) < 1e-15:
            # `fraction` began at 1 and not at 0: 1 + 1 / (1 + ...) less that 1.
            return math.exp(logarithm) * (fraction - 1) / a
    raise ArithmeticError(f"the incomplete beta function of {a}, {b} does not converge at {x}")


def inverse(a: float, b: float, share: float) -> float:
    """The x for which I_x(a, b) is `share`, in 0..1: a quantile of the beta distribution.

    Right to ten digits for a + b up to 20,000, and to nine up to 200,000 (`lgamma` cancels). Newton's
    steps, and halving where one would leave what is known to hold the x.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    constant = _log_one_over_beta(a, b)
    while True:
        excess = incomplete(a, b, x) - share
        low, high = (low, x) if excess > 0 else (x, high)
        slope = math.exp(constant + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        after = x - excess / slope if slope else low
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - x) <= 1e-13 * x:
            return after
        x = after


def _log_one_over_beta(a: float, b: float) -> float:
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
