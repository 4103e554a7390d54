"""What the gates look at, measured in the job process beside the training.

`Bench` holds the rows and the two models; `measured` answers for every gate, with its figures
or with `{"unknown": why}`: a measure that fails takes no other with it, and passes nowhere.
"""

from bailiwick.training.measures.bench import Bench, measured
from bailiwick.training.measures.beside import Pair
from bailiwick.training.measures.membership import Withheld, withhold

__all__ = ["Bench", "Pair", "Withheld", "measured", "withhold"]
