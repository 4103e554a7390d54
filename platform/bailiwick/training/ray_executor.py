"""A job process that has its work done on a Ray cluster, and is nothing but its shadow here.

    python -m bailiwick.training.ray_executor SPEC.json

SPEC.json: `module` and `job` (what would be run here, and its spec), `address` of the cluster,
`processes` that train together, `threads` and `memory_bytes` of each, `work_dir`. Progress, errors,
files and exit status are those of the process on the cluster; ending this one ends that one. The
only importer of Ray.
"""

import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import ray

from bailiwick.core.errors import BailiwickError, Invalid, Unavailable
from bailiwick.training.parcels import Parcel, Spec, packed
from bailiwick.training.progress import print_line
from bailiwick.training.remote import LOOK_SECONDS, STOP_SECONDS, Ended, Host, Order, versions

TRAINING = "bailiwick.training.run"  # the module that several processes can carry out together
CONNECT_SECONDS = 5
START_SECONDS = 300  # that the cluster has to find room
# Of this process's environment, what the ones on the cluster get as well.
PASSED_ON = ("OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE")
_FAULT, _ORPHANED = 2, 3


def main(arguments: list[str]) -> int:
    """Carry out the job file named by the one argument; returns the exit code."""
    spec: dict[str, Any] = json.loads(Path(arguments[0]).read_bytes())
    if spec["watch_parent"]:
        threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    try:
        _connect(spec["address"])
        signal.signal(signal.SIGTERM, _leave)  # after Ray has set its own
        ended = _carried_out(spec)
    except BailiwickError as error:
        print_line({"error": {"code": error.code, "message": error.message}})
        return _FAULT
    except ray.exceptions.RayError as error:
        # Without its text, which may quote what a process on the cluster said.
        kind = type(error).__name__
        message = f"the Ray cluster lost the job ({kind}); see the cluster's own log"
        print_line({"error": {"code": Unavailable.code, "message": message}})
        return _FAULT
    finally:
        ray.shutdown()
    sys.stderr.write(ended.errors.decode(errors="replace"))
    ended.made.unpack(Path(spec["work_dir"]))
    return ended.status


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        # Ray itself waits for minutes for a cluster that is not there.
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise Unavailable(
            "the Ray cluster at BAILIWICK_RAY_ADDRESS cannot be reached from this worker "
            f"({type(error).__name__}); see that it runs, with this Python and this Ray"
        ) from error


def _carried_out(spec: dict[str, Any]) -> Ended:
    """Have each process of the team do its part; how the leader's ended, or the one that failed."""
    job, inputs = packed(spec["job"])
    size = spec["processes"] if spec["module"] == TRAINING else 1
    host = ray.remote(Host).options(num_cpus=spec["threads"], max_concurrency=3)
    hosts: list[Any] = [host.remote() for _ in range(size)]
    try:
        return _worked(spec, hosts, job, inputs)
    finally:
        stopping = [one.stop.remote() for one in hosts]
        ray.wait(stopping, num_returns=len(stopping), timeout=STOP_SECONDS)


def _worked(spec: dict[str, Any], hosts: list[Any], job: Spec, inputs: Parcel) -> Ended:
    team = _met(hosts)
    sent = ray.put(inputs)
    working = [
        one.carry_out.remote(
            Order(
                module=spec["module"],
                spec=job,
                threads=spec["threads"],
                memory_bytes=spec["memory_bytes"],
                environment=team | {"RANK": str(rank)},
            ),
            sent,
        )
        for rank, one in enumerate(hosts)
    ]
    return _followed(hosts, working)


def _met(hosts: list[Any]) -> dict[str, str]:
    """Wait until the cluster has room for all; how they find each other."""
    head = ray.get_runtime_context().gcs_address.rpartition(":")[0]
    try:
        theirs = ray.get([one.versions.remote() for one in hosts], timeout=START_SECONDS)
    except ray.exceptions.GetTimeoutError as error:
        raise Unavailable(
            f"the Ray cluster had no room for {len(hosts)} processes within {START_SECONDS} s; "
            "add nodes, or lower BAILIWICK_RAY_PROCESSES or BAILIWICK_THREADS"
        ) from error
    if any(one != versions() for one in theirs):
        raise Invalid(
            "the Ray cluster runs another Bailiwick, Python or torch than this worker; install "
            "the same on both"
        )
    address, port = ray.get(hosts[0].place.remote(head))
    team = {"WORLD_SIZE": str(len(hosts)), "MASTER_ADDR": address, "MASTER_PORT": str(port)}
    return team | {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _followed(hosts: list[Any], working: list[Any]) -> Ended:
    """Pass on what the leader says until all have ended, or one has failed."""
    heard = 0
    while True:
        done, left = ray.wait(working, num_returns=len(working), timeout=LOOK_SECONDS)
        heard += _passed_on(hosts[0], heard)
        ended: dict[int, Ended] = {working.index(one): ray.get(one) for one in done}
        if failed := [rank for rank, one in ended.items() if one.status]:
            rank = max(failed)  # the leader fails as well of whoever left it
            if rank:
                _passed_on(hosts[rank], 0)
            return ended[rank]
        if not left:
            _passed_on(hosts[0], heard)
            return ended[0]


def _passed_on(host: Any, heard: int) -> int:
    """Print what a host's process said since; how many lines that were."""
    lines: list[str] = ray.get(host.said.remote(heard))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
    return len(lines)


def _end_with_parent() -> None:
    """Leave when standard input ends: its writer is gone, or wants the job cancelled."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(*_: object) -> None:
    """End this process by way of what it has to clear up on the cluster."""
    sys.exit(_ORPHANED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
