"""Groups, narrow tokens and the access review through the Python client."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bailiwick.client import Bailiwick, BailiwickAPIError
from client.installation import Installation


def test_groups_roles_tokens_and_the_review_work_together(
    installation: Installation, tmp_path: Path
) -> None:
    with installation.client("ada") as ada:
        ada.groups.create("team", claim="Cards")
        ada.groups.grant("team", "engineer", namespace="finance", on="models/classifier")
        ada.groups.add("team", "visitor")
        assert [member["principal"] for member in ada.groups.members("team")] == ["visitor"]
        assert [group["name"] for group in ada.groups.list()] == ["team"]
        assert ada.groups.update("team", claim=None)["claim"] is None
        ada.principals.grant("visitor", "steward", namespace="finance", on="datasets/purchases")
        made = ada.tokens.create("visitor", name="narrow", scopes=["read"], expires_at="never")
        assert (made["scopes"], made["expires_at"]) == (["read"], None)
        with Bailiwick(installation.url, made["token"]) as narrow:
            token = narrow.me()["token"]
            assert token is not None
            assert token["scopes"] == ["read"]
            assert [model["name"] for model in narrow.models.list()] == ["classifier"]
            with pytest.raises(BailiwickAPIError, match="made for less"):
                narrow.groups.page()
        held = [row for row in ada.access_reviews.list() if row["principal"] == "visitor"]
        assert [(row["role"], row["object"], row["group"]) for row in held] == [
            ("engineer", "models/classifier", "team"),
            ("steward", "datasets/purchases", None),
        ]
        file = ada.access_reviews.export(tmp_path / "review.csv", namespace="finance")
        assert file.read_text(encoding="utf-8").count("visitor") == 2
        assert list(ada.access_reviews.list(at=datetime(2020, 1, 1, tzinfo=UTC))) == []
        ada.groups.revoke("team", "engineer", namespace="finance", on="models/classifier")
        ada.groups.remove("team", "visitor")
        ada.principals.revoke("visitor", "steward", namespace="finance", on="datasets/purchases")
        assert ada.principals.get("visitor")["roles"] == []
        assert ada.groups.get("team")["members"] == 0
        assert [token["name"] for token in ada.tokens.list(principal="visitor")] == [
            "narrow",
            "visitor",
        ]
        off = ada.principals.update("visitor", disabled=True, clearance_compartments=[])
        assert (off["clearance_compartments"], off["disabled_at"] is None) == ([], False)
