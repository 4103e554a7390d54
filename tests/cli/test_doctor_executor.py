"""`bailiwick doctor` on the executor: nothing where jobs work beside the worker."""

import socket

import pytest

from cli.conftest import Shell


def findings(run: Shell) -> dict[str, dict[str, str]]:
    said = run("doctor", "--url", "http://127.0.0.1:1", "--json", expect=1).json
    return {found["check"]: found for found in said}


def test_a_cluster_is_asked_for_where_one_is_chosen(
    run: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not {"executor", "ray"} & findings(run).keys()
    monkeypatch.setenv("BAILIWICK_EXECUTOR", "ray")
    with socket.create_server(("127.0.0.1", 0)) as head:
        monkeypatch.setenv("BAILIWICK_RAY_ADDRESS", f"127.0.0.1:{head.getsockname()[1]}")
        found = findings(run)
        assert (found["executor"]["result"], "ray" in found) == ("ok", True)
    lost = findings(run)["executor"]
    assert lost["result"] == "fail"
    assert "BAILIWICK_RAY_ADDRESS" in lost["detail"]
