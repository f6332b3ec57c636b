"""Triton's kernels run under its interpreter unless the environment says otherwise.

Triton reads this when it is first imported, which other packages may do, so it is set before any
test is collected.  `make test-gpu` sets it to 0: the same tests then run on the CUDA device.
"""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")
