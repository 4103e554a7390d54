"""`bailiwick retrain`: policies that keep models fit, and retraining by hand."""

from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, percent, plain, said, short, table
from bailiwick.cli.references import deployment_names, of_deployment
from bailiwick.cli.training import Samples, Settings, Wait, numbers_of, show_order, waited_for
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Approval, Consideration, Job, Page, RetrainingPolicy
from bailiwick.core.errors import Invalid, NotFound

app = typer.Typer(no_args_is_help=True, help="Retraining policies, and retraining by hand.")
policies = typer.Typer(no_args_is_help=True, help="When and how models are retrained.")
app.add_typer(policies, name="policy")

PolicyName = Annotated[
    str, typer.Argument(metavar="POLICY", help="NAMESPACE/NAME of its deployment, or its id.")
]
RecipeName = Annotated[
    str | None, typer.Option(help="Name of the recipe, for instance cheap-first.")
]
RiskTier = Annotated[str | None, typer.Option(help="Which gates: low, standard or high.")]
MaxRows = Annotated[int | None, typer.Option(min=1, help="At most so many rows.")]
WindowDays = Annotated[int | None, typer.Option(min=1, help="Learn from the newest days.")]


Ons = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        help="What else sets it off: severity:page, 'cron:0 3 1 * *', accuracy-below:0.9, "
        "new-labels:500, new-class:30, age-days:90, new-data, label-raised, erasure, new-base, "
        "new-inputs, new-rules, 'strategy:cost-aware by=week price=80'; may be repeated.",
    ),
]
OnlyIfs = Annotated[
    list[str] | None,
    typer.Option("--only-if", help="What must hold besides, written like --on; may be repeated."),
]
BudgetHours = Annotated[float | None, typer.Option(help="Hours of training a calendar month.")]
BudgetLabels = Annotated[
    int | None, typer.Option(min=1, help="Labels a calendar month, asked for and learned from.")
]
Priority = Annotated[int | None, typer.Option(min=0, max=9, help="Higher ones go first.")]


_IN_WORDS = ("cron", "severity", "strategy")


class Finding(StrEnum):
    """What an alert is about."""

    DRIFT = "drift"
    HARM = "harm"


def _policies(client: Bailiwick, page: Page[RetrainingPolicy]) -> RenderableType:
    names = deployment_names(client, page)
    rows = (
        (
            names[one["deployment_id"]],
            short(one["id"]),
            "approved" if one["approved"] else "not approved",
            "on" if one["enabled"] else "off",
            f"on {' or '.join(one['on_alert'])}, every {one['cooldown_days']} days at most",
        )
        for one in page["items"]
    )
    return page_table(page, ("DEPLOYMENT", "POLICY", "APPROVAL", "IS", "RETRAINS"), rows)


def _policy(client: Bailiwick, one: RetrainingPolicy) -> RenderableType:
    return facts(
        {
            "deployment": client.deployments.name_of(one["deployment_id"]),
            "approval": "approved" if one["approved"] else "not approved as it stands",
            "is": "on" if one["enabled"] else "off",
            "retrains on": ", ".join(f"alert:{kind}" for kind in one["on_alert"]),
            "or on": ", ".join(map(_written, one["triggers"])),
            "only if": " and ".join(map(_written, one["only_if"])),
            "at most every": f"{one['cooldown_days']} days",
            "budget": _budget(one),
            "never in": ", ".join(
                f"{', '.join(hours['weekdays'])} {hours['begins']}-{hours['ends']} {hours['zone']}"
                for hours in one["blackouts"]
            ),
            "priority": one["priority"],
            "learns from": f"{one['window_days']} days, at most {one['max_rows']:,} rows",
            "older rows": ", ".join(f"{name} {value}" for name, value in one["sampling"].items()),
            "judged on": f"the newest {percent(one['holdout_ratio'])}",
            "gates": one["risk_tier"],
            "recipe": one["recipe"]["kind"],
            "digest": one["digest"],
            "created": moment(one["created_at"]),
            "id": one["id"],
        }
    )


def _budget(one: RetrainingPolicy) -> str:
    said = []
    if (hours := one["budget_hours"]) is not None:
        said.append(f"{hours:g} hours")
    if (labels := one["budget_labels"]) is not None:
        said.append(f"{labels:,} labels")
    return f"{' and '.join(said)} a month" if said else "any"


def _written(trigger: dict[str, Any]) -> str:
    """As it is written on the command line."""
    value = trigger["value"]
    shown = f"{value:g}" if isinstance(value, float) else value
    return trigger["kind"] if value is None else f"{trigger['kind']}:{shown}"


def _came_of(one: Consideration) -> str:
    """A job, what was held back, or nothing that anybody wanted."""
    if one["job_id"]:
        return f"job {short(one['job_id'])}"
    return "held" if one["holds"] else "nothing"


def _considered(_: Bailiwick, found: list[Consideration]) -> RenderableType:
    rows = (
        (
            moment(one["at"]),
            _came_of(one),
            "; ".join(
                [cause["sentence"] for cause in one["causes"]]
                + [hold["sentence"] for hold in one["holds"]]
                or [f"{said['strategy']}: {said['reason']}" for said in one["decisions"]]
            ),
        )
        for one in found
    )
    return table(("AT", "CAME OF IT", "WHY"), rows)


def show_request(_: Bailiwick, asked: Approval) -> RenderableType:
    """A request for approval, and how it is decided."""
    return plain(
        f"Asked for {asked['required']} approval(s) of another person: "
        f"bailiwick approval approve {short(asked['id'])}"
    )


@command(policies, "list", show=_policies)
def list_policies(
    client: Bailiwick, limit: Limit = 50, cursor: Cursor = None
) -> Page[RetrainingPolicy]:
    """Retraining policies, newest first."""
    return client.retraining_policies.page(limit=limit, cursor=cursor)


@command(policies, "show", show=_policy)
def show_policy(client: Bailiwick, policy: PolicyName) -> RetrainingPolicy:
    """A retraining policy."""
    return client.retraining_policies.get(policy_id(client, policy))


@command(policies, "create", show=_policy)
def create(
    client: Bailiwick,
    deployment: Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or id.")],
    *,
    dataset: Annotated[str, typer.Option(metavar="NAMESPACE/NAME", help="Newer rows go there.")],
    acts_as: Annotated[str, typer.Option(help="Service principal that retrains.")],
    on_alert: Annotated[
        list[Finding] | None, typer.Option(help="What sets it off; may be repeated.")
    ] = None,
    cooldown_days: Annotated[int | None, typer.Option(min=0, help="Pause between two.")] = None,
    window_days: WindowDays = None,
    max_rows: MaxRows = None,
    holdout_ratio: Annotated[float | None, typer.Option(help="Newest share kept to judge.")] = None,
    sample: Samples = None,
    recipe: RecipeName = None,
    setting: Settings = None,
    risk_tier: RiskTier = None,
    on: Ons = None,
    only_if: OnlyIfs = None,
    budget_hours: BudgetHours = None,
    budget_labels: BudgetLabels = None,
    priority: Priority = None,
) -> RetrainingPolicy:
    """Define how a deployment's model is kept fit; it acts once somebody else approved it."""
    return client.retraining_policies.create(
        deployment,
        dataset=dataset,
        acts_as=acts_as,
        on_alert=on_alert or None,
        cooldown_days=cooldown_days,
        window_days=window_days,
        max_rows=max_rows,
        holdout_ratio=holdout_ratio,
        sampling=numbers_of("--sample", sample),
        recipe_name=recipe,
        recipe=numbers_of("--set", setting),
        risk_tier=risk_tier,
        triggers=_triggers(on),
        only_if=_triggers(only_if),
        budget_hours=budget_hours,
        budget_labels=budget_labels,
        priority=priority,
    )


def _triggers(written: list[str] | None) -> list[dict[str, Any]] | None:
    """`kind:value`, each with what the kind takes; the API says what is wrong with it."""
    if not written:
        return None
    found: list[dict[str, Any]] = []
    for one in written:
        kind, _, value = one.partition(":")
        try:
            given: str | float | None = float(value) if kind not in _IN_WORDS else value
        except ValueError:
            given = value or None
        found.append({"kind": kind, "value": given or None})
    return found


@command(policies, "set", show=_policy)
def change(
    client: Bailiwick,
    policy: PolicyName,
    *,
    cooldown_days: Annotated[int | None, typer.Option(min=0, help="Pause between two.")] = None,
    window_days: WindowDays = None,
    max_rows: MaxRows = None,
    sample: Samples = None,
    recipe: RecipeName = None,
    setting: Settings = None,
    risk_tier: RiskTier = None,
    on: Ons = None,
    only_if: OnlyIfs = None,
    budget_hours: BudgetHours = None,
    budget_labels: BudgetLabels = None,
    priority: Priority = None,
) -> RetrainingPolicy:
    """Change a policy; any change of what it does must be approved anew."""
    named = {
        "cooldown_days": cooldown_days,
        "window_days": window_days,
        "max_rows": max_rows,
        "sampling": numbers_of("--sample", sample),
        "recipe_name": recipe,
        "recipe": numbers_of("--set", setting),
        "risk_tier": risk_tier,
        "triggers": _triggers(on),
        "only_if": _triggers(only_if),
        "budget_hours": budget_hours,
        "budget_labels": budget_labels,
        "priority": priority,
    }
    changes = {name: one for name, one in named.items() if one is not None}
    if not changes:
        raise Invalid("say what to change; `bailiwick retrain policy set --help` lists it")
    return client.retraining_policies.update(policy_id(client, policy), **changes)


@command(policies, "considered", show=_considered)
def considered(
    client: Bailiwick,
    policy: PolicyName,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
) -> list[Consideration]:
    """What set a policy off and what came of it: a job, or what held it back."""
    return list(islice(client.retraining_policies.considerations(policy_id(client, policy)), limit))


@command(policies, "request", show=show_request)
def request(client: Bailiwick, policy: PolicyName) -> Approval:
    """Ask other people to approve a policy as it stands."""
    return client.approvals.request_policy(policy_id(client, policy))


@command(policies, "approve", show=said("The request is {state}."))
def approve(
    client: Bailiwick,
    policy: PolicyName,
    comment: Annotated[str, typer.Option(help="What was looked at; it is kept.")] = "",
) -> Approval:
    """Approve a policy for which somebody else asked."""
    wanted = policy_id(client, policy)
    asked = next(
        (one for one in client.approvals.list(state="open") if one["subject_id"] == wanted), None
    )
    if asked is None:
        raise NotFound(
            "nobody has asked for this policy's approval: "
            f"bailiwick retrain policy request {policy}"
        )
    return client.approvals.decide(asked["id"], approve=True, comment=comment)


@command(policies, "pause", show=said("The policy is off."))
def pause(client: Bailiwick, policy: PolicyName) -> RetrainingPolicy:
    """Retrain no more on its own until it is resumed."""
    return client.retraining_policies.update(policy_id(client, policy), enabled=False)


@command(policies, "resume", show=said("The policy is on."))
def resume(client: Bailiwick, policy: PolicyName) -> RetrainingPolicy:
    """Retrain on its own again."""
    return client.retraining_policies.update(policy_id(client, policy), enabled=True)


@command(app, "now", show=show_order)
def retrain_now(
    client: Bailiwick,
    policy: PolicyName,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    window_days: WindowDays = None,
    max_rows: MaxRows = None,
    recipe: Annotated[str | None, typer.Option(help="Name of another recipe.")] = None,
    setting: Settings = None,
    *,
    wait: Wait = False,
) -> Job:
    """Retrain by hand under a policy; the result goes through the same gates."""
    job = client.retraining_policies.retrain(
        policy_id(client, policy),
        reason=reason,
        window_days=window_days,
        max_rows=max_rows,
        recipe_name=recipe,
        recipe=numbers_of("--set", setting),
    )
    return waited_for(client, job) if wait else job


def policy_id(client: Bailiwick, reference: str) -> str:
    """The id of a retraining policy."""
    return of_deployment(client, reference, client.retraining_policies.list(), "retraining policy")
