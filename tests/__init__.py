"""The course's tests."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels run on the CPU: said before PyTorch imports Triton
