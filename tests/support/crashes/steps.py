"""Where steps are: the modules of the product in whose functions faults strike."""

from support.crashes.faults import Edge, Kind

LIFE, WATCH = "bailiwick.lifecycle", "bailiwick.monitoring"
TICKS, EXECUTION = "bailiwick.worker.ticks", f"{LIFE}.execution"
TRAINING, RETRAIN, CHECKS = f"{LIFE}.training_jobs", f"{LIFE}.retrain", f"{LIFE}.checks"
SERVED, COMPARED = f"{LIFE}.serving_elsewhere", f"{LIFE}.traffic_comparisons"
ROLLING, REPLAYS = f"{LIFE}.rolling_out", f"{LIFE}.replays.carrying"
LOG, KEEPSAKE = f"{LIFE}.platform", "bailiwick.audit.continuity"
MOVING, SENDING = f"{WATCH}.keeping.moving", "bailiwick.notifications.sending"
STORE, RUN = "bailiwick.blobs.store:BlobStore", "bailiwick.training.run"
ROUTES, UPLOADS = "bailiwick.web.routes", "bailiwick.api.datasets"

# What the process does, where in it the fault strikes, and which faults.
Step = tuple[str, Edge, str, tuple[Kind, ...]]
