"""`principal`, `group`, `token`, `access-review`: who holds what, from the command line."""

import csv
import io

from bailiwick.client import Bailiwick
from cli.conftest import Shell
from client.installation import Installation


def test_a_group_is_made_filled_and_emptied(shell: Shell) -> None:
    made = shell("group", "create", "team", "--claim", "Cards", who="ada")
    assert "Cards" in made.out
    coder = ("engineer", "--namespace", "finance", "--on", "models/classifier")
    given = shell("group", "grant", "team", *coder, who="ada").out
    assert "engineer@finance/models/classifier" in given
    assert "visitor is a member" in shell("group", "add", "team", "visitor", who="ada").out
    assert "manual" in shell("group", "members", "team", who="ada").out
    listed = shell("group", "list", who="ada").out
    assert "team" in listed
    assert all(len(line) <= 80 for line in listed.splitlines())
    own = shell("principal", "me", who="visitor").out
    assert "engineer@finance/models/classifier (team)" in own
    assert "classifier" in shell("model", "list", who="visitor").out
    shell("group", "revoke", "team", *coder, who="ada")
    shell("group", "remove", "team", "visitor", who="ada")
    assert "Cards" not in shell("group", "map", "team", who="ada").out
    shown = shell("group", "show", "team", "--json", who="ada").json
    assert (shown["roles"], shown["members"], shown["claim"]) == ([], 0, None)
    assert "may not see it" in shell("group", "show", "team", expect=1).err


def test_a_role_is_given_on_one_object_and_taken_back(shell: Shell) -> None:
    place = ("--namespace", "finance", "--on", "datasets/purchases")
    given = shell("principal", "grant", "visitor", "engineer", *place, who="ada").out
    assert "engineer@finance/datasets/purchases" in given
    assert "purchases" in shell("dataset", "list", who="visitor").out
    shell("principal", "revoke", "visitor", "engineer", *place, who="ada")
    assert "None that you may see" in shell("dataset", "list", who="visitor").out
    wrong = ("--namespace", "finance", "--on", "jobs/x")
    assert (
        "models/NAME"
        in shell("principal", "grant", "visitor", "engineer", *wrong, who="ada", expect=2).err
    )


def test_a_principal_is_cleared_disabled_and_accepted_again(shell: Shell) -> None:
    cleared = shell("principal", "clearance", "visitor", "--level", "internal", who="ada").out
    assert "internal / finance" in cleared
    none = shell("principal", "clearance", "visitor", "--no-compartment", who="ada", expect=0).out
    assert "finance" not in none
    shell("principal", "disable", "visitor", who="ada")
    shell("principal", "me", who="visitor", expect=4)
    assert "accepted again" in shell("principal", "enable", "visitor", who="ada").out
    assert "visitor" in shell("principal", "me", who="visitor").out
    own = shell("principal", "clearance", "ada", "--level", "public", who="ada", expect=1)
    assert "another administrator" in own.err


def test_a_narrow_token_is_made_listed_and_says_what_it_is_for(
    shell: Shell, installation: Installation
) -> None:
    narrow = ("--scope", "read", "--namespace", "finance", "--days", "30")
    made = shell("token", "create", "engineer", "--name", "ci", *narrow, who="ada").out.strip()
    installation.tokens["ci"] = made
    own = shell("principal", "me", who="ci").out
    assert "read" in own
    assert "token works in  finance" in own
    shell("model", "list", who="ci")
    denied = shell("model", "create", "finance/x", "--residency", "eu", who="ci", expect=2)
    assert denied.err
    for state, there in (("in-force", True), ("revoked", False), ("expired", False)):
        words = ("token", "list", "--principal", "engineer", "--state", state)
        assert ("ci" in shell(*words, who="ada").out) is there
    both = ("--days", "3", "--never-expires")
    assert "choose one" in shell("token", "create", "ada", *both, who="ada", expect=2).err
    shell("token", "create", "ada", "--never-expires", who="ada")
    newest = shell("token", "list", "--json", who="ada").json["items"][0]
    assert newest["expires_at"] is None


def test_the_access_review_is_shown_printed_and_kept(
    shell: Shell, installation: Installation
) -> None:
    shown = shell("access-review", who="ada").out
    assert "retrainer" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    told = shell("access-review", "--json", "--namespace", "finance", who="ada").json
    with Bailiwick(installation.url, installation.tokens["ada"]) as ada:
        assert told["items"] == list(ada.access_reviews.list(namespace="finance"))
    table = shell("access-review", "--csv", who="ada").out
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["principal"] for row in rows] == [row["principal"] for row in told["items"]]
    past = shell("access-review", "--at", "2020-01-01", who="ada")
    assert "None that you may see" in past.out
    assert "earlier" in shell("access-review", "--at", "2099-01-01", who="ada", expect=2).err
    assert "choose one" in shell("access-review", "--csv", "--json", who="ada", expect=2).err
    assert "access:review" in shell("access-review", expect=1).err
