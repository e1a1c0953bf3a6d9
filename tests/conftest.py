"""One BLAS thread for each test process: pytest-xdist already uses every core, and small matrix products are faster so."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
