"""Running model versions: text in, label, confidence and descriptors out.

The model server (`engine`, `batching`, `engines`, `app`) is the one process that loads torch to
answer requests. Everybody else talks to it through `Gateway`, which needs no torch.
"""

from bailiwick.serving.classification import Classification
from bailiwick.serving.gateway import Gateway

__all__ = ["Classification", "Gateway"]
