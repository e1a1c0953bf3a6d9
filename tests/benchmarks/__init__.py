"""One BLAS thread: times are seconds of processor, and threads that wait for each other count as if they worked."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
