"""Skeletons of masks: lines one pixel wide."""

import numpy as np
from numpy.typing import NDArray


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Skeleton [H, W] of ``mask`` [H, W]: lines one pixel wide, eight-connected.

    Parallel thinning with two alternating passes (Guo and Hall, 1989, algorithm A1).
    """
    image = np.pad(np.asarray(mask, bool), 1)
    changed = True
    while changed:
        changed = False
        for second in (False, True):
            removable = _removable(image, second)
            if removable.any():
                image[1:-1, 1:-1] &= ~removable
                changed = True
    return image[1:-1, 1:-1]


def _removable(image: NDArray[np.bool_], second: bool) -> NDArray[np.bool_]:
    n, ne, e, se = image[:-2, 1:-1], image[:-2, 2:], image[1:-1, 2:], image[2:, 2:]
    s, sw, w, nw = image[2:, 1:-1], image[2:, :-2], image[1:-1, :-2], image[:-2, :-2]
    runs = (~n & (ne | e)).astype(np.uint8) + (~e & (se | s)) + (~s & (sw | w)) + (~w & (nw | n))
    pairs = (nw | n).astype(np.uint8) + (ne | e) + (se | s) + (sw | w)
    turned = (n | ne).astype(np.uint8) + (e | se) + (s | sw) + (w | nw)
    neighbours = np.minimum(pairs, turned)
    side = (n | ne | ~se) & e if second else (s | sw | ~nw) & w
    free: NDArray[np.bool_] = (
        image[1:-1, 1:-1] & (runs == 1) & (neighbours >= 2) & (neighbours <= 3) & ~side
    )
    return free
