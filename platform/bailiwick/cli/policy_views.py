"""Policies, decisions and bundles as text for people."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from rich.console import Group, RenderableType

from bailiwick.cli.output import facts, moment, page_table, plain, short, table
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import (
    Activation,
    Bundle,
    BundleDetail,
    Decision,
    DryRun,
    Explanation,
    Page,
    Policy,
    RulesInForce,
    Scheme,
)

DIGEST_CHARACTERS = 12
NOTHING = "Nothing differs."


def rules_in_force(_: Bailiwick, rules: RulesInForce) -> RenderableType:
    """The policies, one a line, and the bundle that they are of."""
    rows = ((one["id"], one["effect"], one["reason"]) for one in rules["policies"])
    since = f"since {moment(rules['since'])}" if rules["since"] else "as it came with Bailiwick"
    return Group(
        table(("POLICY", "EFFECT", "REASON"), rows), "", plain(f"bundle {rules['digest']} {since}")
    )


def scheme(_: Bailiwick, words: Scheme) -> RenderableType:
    """The words that labels are made of."""
    zones = ((zone, f"in {around}" if around else "") for zone, around in words["zones"].items())
    return Group(
        facts({"levels": " < ".join(words["levels"])}),
        "",
        table(("COMPARTMENT", "MEANS"), words["compartments"].items()),
        "",
        table(("ZONE", "LIES"), zones),
        "",
        table(("PURPOSE", "MEANS"), words["purposes"].items()),
    )


def decisions(_: Bailiwick, page: Page[Decision]) -> RenderableType:
    """One page of decisions."""
    rows = (
        (
            short(one["id"]),
            moment(one["at"]),
            "allowed" if one["allowed"] else "denied",
            one["action"],
            ", ".join(one["policy_ids"]),
        )
        for one in page["items"]
    )
    return page_table(page, ("DECISION", "TIME", "ANSWER", "ACTION", "POLICIES"), rows)


def explained(client: Bailiwick, one: Explanation | Policy) -> RenderableType:
    """A decision in words, or a policy as it stands."""
    if "asked" in one:
        return _decision(client, cast("Explanation", one))
    return policy(one)


def policy(one: Policy) -> RenderableType:
    """A policy as it stands in its file."""
    head = facts({"policy": f"{one['id']} ({one['effect']}, {one['file']})", "says": one["reason"]})
    return Group(head, "", *map(plain, one["text"].splitlines()))


def _decision(_: Bailiwick, one: Explanation) -> RenderableType:
    answer = "allowed" if one["allowed"] else "denied"
    today = {"allow": "allowed", "deny": "denied"}[one["today"]]
    said = facts(
        {
            "asked": one["asked"],
            "answer": answer,
            "because": one["reason"],
            "where": one["namespace"],
            "at": moment(one["at"]),
            **{f"  {name}": value for name, value in one["context"].items()},
            "policies": ", ".join(one["policy_ids"]) or "none applied, so it was denied",
            "bundle": one["bundle_digest"],
            **({"today": f"would be {today}"} if today != answer else {}),
        }
    )
    texts = [Group("", policy(deciding)) for deciding in one["policies"]]
    if not one["would_be_allowed_if"]:
        return Group(said, *texts)
    ways = (
        (" and ".join(way["changes"]), ", ".join(way["ask"]) or "-")
        for way in one["would_be_allowed_if"]
    )
    return Group(said, *texts, "", table(("ASK", "IT WOULD BE ALLOWED IF"), map(_turned, ways)))


def _turned(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[1], pair[0]


def bundles(_: Bailiwick, page: Page[Bundle]) -> RenderableType:
    """One page of bundles."""
    rows = (
        (
            one["digest"][:DIGEST_CHARACTERS],
            one["state"],
            "passed" if one["passed"] else "failed",
            moment(one["at"]),
            one["note"],
        )
        for one in page["items"]
    )
    return page_table(page, ("BUNDLE", "STATE", "CHECKS", "PROPOSED", "NOTE"), rows)


def proposal(_: Bailiwick, proposed: Mapping[str, Any]) -> RenderableType:
    """A bundle that was proposed: what its checks found, and who is to decide."""
    bundle: BundleDetail = proposed["bundle"]
    approval = proposed["approval"]
    passed = "passed its checks" if bundle["passed"] else "failed its checks"
    lines: list[RenderableType] = [plain(f"Bundle {bundle['digest']} {passed}.")]
    lines += [plain(f"  {fault}") for fault in bundle["checks"].get("faults", ())]
    lines += [plain(f"  {failure}") for failure in bundle["checks"].get("failed_tests", ())]
    if run := bundle["checks"].get("dry_run"):
        lines += ["", dry_run(run)]
    if approval is not None:
        lines += ["", plain(f"Another person must approve it: {approval['id']}")]
    return Group(*lines)


def activation(_: Bailiwick, done: Activation) -> RenderableType:
    """Which bundle came into force."""
    new, old = done["new_digest"][:DIGEST_CHARACTERS], done["old_digest"][:DIGEST_CHARACTERS]
    return plain(f"Bundle {new} is in force, in place of {old}.")


def changes(found: DryRun) -> RenderableType:
    """What differs, and which recorded decisions would."""
    return Group(difference(found["diff"]), "", dry_run(found["dry_run"]))


def dry_run(run: Mapping[str, Any]) -> RenderableType:
    """Which of the last decisions would change."""
    head = plain(
        f"Of the last {run['asked']} decisions {run['now_denied']} would be denied that were "
        f"allowed, {run['now_allowed']} allowed that were denied; {run['unfit']['count']} no "
        "longer fit the schema."
    )
    rows = (
        (
            one["count"],
            one["answer"],
            one["action"],
            ", ".join(one["after"]) or "no policy",
            short(one["decisions"][0]),
        )
        for one in run["changes"]
    )
    if not run["changes"]:
        return head
    headings = ("DECISIONS", "WOULD", "ACTION", "BY", "FOR EXAMPLE")
    return Group(head, "", table(headings, rows))


def difference(diff: Mapping[str, Any]) -> RenderableType:
    """What differs between two bundles."""
    rows = [
        *_rows("policy", diff["policies"]),
        *_rows("action", diff["actions"]),
        *(row for kind, words in diff["words"].items() for row in _rows(kind, words)),
        *_rows("test", diff["tests"]),
        *_rows("file", diff["files"]),
    ]
    if not rows:
        return plain(NOTHING)
    shown: list[RenderableType] = [table(("WHAT", "HOW", "NAME"), rows)]
    for name, both in diff["policies"]["changed"].items():
        shown += ["", plain(f"{name} was:"), *map(plain, both["old"]["text"].splitlines())]
        shown += [plain("and is now:"), *map(plain, both["new"]["text"].splitlines())]
    return Group(*shown)


def _rows(what: str, compared: Mapping[str, Iterable[str]]) -> list[tuple[str, str, str]]:
    return [(what, how, name) for how, names in compared.items() for name in names]
