"""The recorder: nothing is lost and nothing counted twice, whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bailiwick.client import (
    Bailiwick,
    BailiwickAPIError,
    MisusedClient,
    NotReachable,
    Recorder,
    SpoolFull,
    Unsent,
)
from bailiwick.client.shapes import Taken
from bailiwick.lifecycle import Platform
from support.api_process import ApiProcess, api_process

NOW = datetime.now(UTC).isoformat()
FAST: dict[str, Any] = {"interval_seconds": 0.01, "close_timeout_seconds": 5.0}


class Server:
    """An API that counts ids once, and is down when told so."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.down: Exception | None = None

    def __call__(self, content: bytes) -> Taken:
        self.requests += 1
        if self.down is not None:
            raise self.down
        told: Taken = {"new": 0, "known": 0, "rejected": [], "rejected_total": 0}
        for place, line in enumerate(content.splitlines()):
            record = json.loads(line)
            if record["prediction"] == "bad":
                fault: Any = {"place": place, "record_id": record["record_id"]}
                told["rejected"].append(fault | {"code": "unfit", "detail": "bad"})
                told["rejected_total"] += 1
            elif record["record_id"] in self.records:
                told["known"] += 1
            else:
                self.records[record["record_id"]] = record
                told["new"] += 1
        return told


@pytest.fixture
def server() -> Server:
    """Up, and knows nothing."""
    return Server()


@pytest.fixture
def api(platform: Platform) -> Iterator[ApiProcess]:
    """A real one in a process of its own."""
    with api_process(platform) as process:
        process.start()
        yield process


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


DOWN = NotReachable("the API is not reachable", is_passing=True)


def test_what_is_logged_arrives_with_an_id_and_a_moment(server: Server) -> None:
    with Recorder(server, **FAST) as recorder:
        ids = [recorder.log("Fuel", confidence=0.5, segments=None) for _ in range(10)]
        given = recorder.log("Travel", record_id="mine")
    assert set(server.records) == {*ids, "mine"}
    assert given == "mine"
    first = server.records[ids[0]]
    assert datetime.fromisoformat(first["at"]).tzinfo is not None
    assert set(first) == {"record_id", "at", "prediction", "confidence"}
    assert ids == sorted(ids, key=lambda one: one[:13])  # they sort by time
    assert (recorder.sent.new, recorder.sent.rejected) == (11, 0)
    assert recorder.waiting_bytes == 0


def test_records_go_together(server: Server) -> None:
    settings = FAST | {"interval_seconds": 30.0}
    with Recorder(server, batch_records=100, **settings) as recorder:
        for _ in range(250):
            recorder.log("Fuel")
        until(lambda: recorder.sent.new == 200)
        assert server.requests == 2
    assert server.requests == 3


def test_what_is_turned_away_is_told(server: Server) -> None:
    told: list[Any] = []
    with Recorder(server, on_rejected=told.extend, **FAST) as recorder:
        recorder.log("bad", record_id="b")
        recorder.log("Fuel")
    assert [one["record_id"] for one in told] == ["b"]
    assert (recorder.sent.new, recorder.sent.rejected) == (1, 1)


def test_a_server_that_comes_back_gets_everything(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailiwick.client.recorder.FIRST_PAUSE_SECONDS", 0.01)
    server.down = DOWN
    with Recorder(server, **FAST) as recorder:
        for _ in range(5):
            recorder.log("Fuel")
        until(lambda: server.requests > 2)
        assert recorder.last_error is DOWN
        server.down = None
        recorder.flush(5.0)
        assert recorder.last_error is None
    assert len(server.records) == 5


def test_whoever_waits_ends_a_long_pause(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bailiwick.client.recorder.FIRST_PAUSE_SECONDS", 60.0)
    monkeypatch.setattr("bailiwick.client.recorder.LONGEST_PAUSE_SECONDS", 60.0)
    server.down = DOWN
    with Recorder(server, **FAST) as recorder:
        recorder.log("Fuel")
        until(lambda: recorder.last_error is DOWN)
        server.down = None
    assert len(server.records) == 1


def test_a_record_larger_than_all_that_may_wait_is_refused_at_once(server: Server) -> None:
    with Recorder(server, max_bytes=100, **FAST) as recorder, pytest.raises(SpoolFull):
        recorder.log("Fuel", text="x" * 200)


def test_over_its_limit_it_raises_or_blocks_as_asked(server: Server, tmp_path: Path) -> None:
    server.down = DOWN
    limits = FAST | {"max_bytes": 400, "close_timeout_seconds": 0.0}
    recorder = Recorder(server, spool=tmp_path, on_full="raise", **limits)
    recorder.log("Fuel", text="x" * 200)
    with pytest.raises(SpoolFull, match="the limit"):
        recorder.log("Fuel", text="x" * 200)
    until(lambda: recorder.last_error is DOWN)
    with pytest.raises(Unsent, match="have not been sent: the API is not reachable") as left:
        recorder.close()
    assert list(left.value.folder.glob("*.ndjson"))

    blocking = Recorder(server, on_full="block", **limits | {"close_timeout_seconds": 5.0})
    blocking.log("Fuel", text="x" * 200)
    done = threading.Event()

    def log() -> None:
        blocking.log("Travel", text="x" * 200)
        done.set()

    threading.Thread(target=log, daemon=True).start()
    assert not done.wait(0.1)
    server.down = None
    assert done.wait(10)
    blocking.close()
    assert len(server.records) == 2


def test_what_a_process_left_is_sent_by_the_next_but_no_half_line(
    server: Server, tmp_path: Path
) -> None:
    server.down = BailiwickAPIError(403, "denied", "no")
    recorder = Recorder(server, spool=tmp_path, **FAST | {"close_timeout_seconds": 0.0})
    ids = {recorder.log("Fuel") for _ in range(3)}
    with pytest.raises(Unsent, match="no"):
        recorder.close()
    (piece,) = tmp_path.glob("*.ndjson")
    with piece.open("ab") as torn:
        torn.write(b'{"record_id": "ha')
    (tmp_path / "0000000000000099.ndjson").write_bytes(b'{"rec')
    server.down = None
    with Recorder(server, spool=tmp_path, **FAST) as following:
        following.flush(5.0)
    assert set(server.records) == ids
    assert [one.name for one in tmp_path.iterdir()] == ["lock"]


def test_two_recorders_do_not_share_a_folder(server: Server, tmp_path: Path) -> None:
    with (
        Recorder(server, spool=tmp_path, **FAST),
        pytest.raises(MisusedClient, match="one of its own"),
    ):
        Recorder(server, spool=tmp_path, **FAST)


def test_misuse_is_told_where_it_happens(server: Server) -> None:
    with Recorder(server, **FAST) as recorder:
        with pytest.raises(MisusedClient, match="needs its zone"):
            recorder.log("Fuel", at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
        with pytest.raises(MisusedClient, match="cannot say"):
            recorder.log("Fuel", confidence=float("nan"))
    with pytest.raises(MisusedClient, match="closed"):
        recorder.log("Fuel")


def test_an_error_in_the_block_is_not_hidden_by_what_could_not_be_sent(server: Server) -> None:
    server.down = DOWN

    def interrupted() -> None:
        with Recorder(server, **FAST | {"close_timeout_seconds": 0.1}) as recorder:
            recorder.log("Fuel")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_a_server_that_is_killed_and_started_again_loses_and_doubles_nothing(
    api: ApiProcess, tmp_path: Path
) -> None:
    ids: set[str] = set()
    with Bailiwick(api.url, api.token, timeout_seconds=20) as client:
        settings = {"interval_seconds": 0.02, "batch_records": 50, "close_timeout_seconds": 60.0}
        deployment = str(api.deployment_id)
        with client.deployments.recorder(deployment, spool=tmp_path, **settings) as recorder:
            for turn in range(2):
                ids |= {recorder.log("Fuel", confidence=0.5) for _ in range(400)}
                until(lambda: recorder.sent.new > 0)
                api.kill()
                ids |= {recorder.log("Travel", confidence=0.5) for _ in range(100 + turn)}
                api.start()
        told = recorder.sent
    assert api.record_ids() == ids
    assert api.records() == len(ids) == told.new + told.known
    assert told.rejected == 0


CHILD = """
import sys
from bailiwick.client import Bailiwick
from pathlib import Path

client = Bailiwick(sys.argv[1], "bwk_wrong")
recorder = client.deployments.recorder(sys.argv[2], spool=Path(sys.argv[3]))
for _ in range(500):
    print(recorder.log("Fuel", confidence=0.5), flush=True)
sys.stdin.read()
"""


def test_a_client_that_is_killed_leaves_its_records_to_the_next(
    api: ApiProcess, tmp_path: Path
) -> None:
    arguments = [api.url, str(api.deployment_id), str(tmp_path)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
    )
    assert child.stdout is not None
    ids = {child.stdout.readline().decode().strip() for _ in range(500)}
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert child.stdin is not None
    child.stdin.close()
    assert api.records() == 0
    with (
        Bailiwick(api.url, api.token) as client,
        client.deployments.recorder(str(api.deployment_id), spool=tmp_path) as recorder,
    ):
        recorder.flush(30)
    assert api.record_ids() == ids


def test_nothing_that_was_acknowledged_is_lost_by_kill_9(api: ApiProcess) -> None:
    acknowledged = 0
    with Bailiwick(api.url, api.token, timeout_seconds=20) as client:
        deployment = str(api.deployment_id)
        killer: threading.Timer | None = None
        try:
            while True:
                rows = [{"prediction": "Fuel", "confidence": 0.5} for _ in range(200)]
                content = b"".join(
                    json.dumps(row | {"record_id": f"{acknowledged + n:08d}", "at": NOW}).encode()
                    + b"\n"
                    for n, row in enumerate(rows)
                )
                address = f"/deployments/{deployment}/inferences"
                told = client._http.send(address, content, "application/x-ndjson")
                acknowledged += told["new"]
                if killer is None and acknowledged >= 600:
                    killer = threading.Timer(0.05, api.kill)  # somewhere in what follows
                    killer.start()
        except NotReachable:
            assert killer is not None
            killer.join()
    assert acknowledged >= 600
    kept = api.record_ids()
    assert {f"{number:08d}" for number in range(acknowledged)} <= kept
    assert len(kept) in {acknowledged, acknowledged + 200}  # the last may have been committed
