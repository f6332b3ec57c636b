import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m3vit.hw.golden.residual import add
from tests.support import integer_twin

CODES = st.integers(-131072, 131071) | st.sampled_from([-131072, 131071])


@given(st.lists(st.tuples(CODES, CODES), min_size=1, max_size=30))
def test_equals_python_integers_and_counts(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, np.int32).T
    total, saturations = add(x, y)
    assert total.tolist() == [integer_twin.sat(a + b, 18) for a, b in pairs]
    assert saturations == sum(not -131072 <= a + b <= 131071 for a, b in pairs)
    assert total.dtype == np.int32
    assert x.tolist() == [pair[0] for pair in pairs]
