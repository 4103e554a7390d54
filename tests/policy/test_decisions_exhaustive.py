"""Every request of a small domain, answered a second time without Cedar.

The symbolic analyser for Cedar is not at hand; enumeration proves the lattice rules for all
levels, two compartments, all zones that differ in kind and allowed or other purposes.
"""

from itertools import product
from pathlib import Path

from bailiwick.policy.bundles import Rules
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.decisions import Actor, Resource

POLICIES = Path(__file__).parents[2] / "policies"
SCHEME = Scheme.load(POLICIES / "classification.yaml")
ENGINE = Rules.load(POLICIES).engine

LEVELS = ["public", "internal", "confidential", "restricted"]  # by position, as the oracle counts
COMPARTMENTS = [frozenset(some) for some in ((), ("finance",), ("people",), ("finance", "people"))]
READING = ["version:read", "version:read-artifact", "version:register", "version:rollback"]
ROLES = {"n": frozenset({"engineer"})}
EU, WORLD = frozenset({"eu"}), frozenset({"world"})


def an_engineer(level: int, compartments: frozenset[str]) -> Actor:
    return Actor("e", "person", "Eve", ROLES, LEVELS[level], compartments)


def a_label(level: int, compartments: frozenset[str], residency: frozenset[str] = WORLD) -> Label:
    return Label(LEVELS[level], compartments, residency, frozenset({"research"}))


def test_no_read_up_agrees_with_the_oracle_on_every_action_that_takes_a_labelled_model() -> None:
    everything = product(READING, range(4), COMPARTMENTS, range(4), COMPARTMENTS)
    for action, has, holds, level, needs in everything:
        resource = Resource("ModelVersion", "v", "n", a_label(level, needs))
        verdict = ENGINE.decide(an_engineer(has, holds), action, resource)
        assert verdict.allowed == (has >= level and holds >= needs), (action, has, holds)
        assert verdict.allowed or verdict.policy_ids == ("no-read-up",)


def test_placements_agree_with_the_oracle_on_16384_requests() -> None:
    # Where each zone lies, and which zones each residency allows, written out by hand.
    around = {
        "de": {"de", "eu", "world"},
        "eu": EU | WORLD,
        "uk": {"uk", "world"},
        "us": {"us", "world"},
    }
    allows = {
        WORLD: {"de", "eu", "uk", "us"},
        EU: {"de", "eu"},
        frozenset({"de"}): {"de"},
        frozenset({"uk", "us"}): {"uk", "us"},
    }
    everything = product(
        [(3, COMPARTMENTS[3]), (1, COMPARTMENTS[1])],
        range(4), COMPARTMENTS, allows, range(4), COMPARTMENTS, around, ["research", "security"],
    )  # fmt: skip
    asked = 0
    for (has, holds), level, needs, residency, bears, keeps, zone, purpose in everything:
        verdict = ENGINE.decide(
            an_engineer(has, holds),
            "deployment:serve",
            Resource("ModelVersion", "v", "n", a_label(level, needs, residency)),
            {
                "purpose": purpose,
                "environment_level": LEVELS[bears],
                "environment_compartments": keeps,
                "environment_zones": around[zone],
            },
        )
        broken = {
            "no-read-up": not (has >= level and holds >= needs),
            "no-deploy-up": not (bears >= level and keeps >= needs),
            "residency": zone not in allows[residency],
            "purpose": purpose != "research",
        }
        forbidding = tuple(sorted(rule for rule, is_broken in broken.items() if is_broken))
        assert verdict.policy_ids == (forbidding or ("role-operates",))
        assert verdict.allowed == (not forbidding)
        asked += 1
    assert asked == 16_384


def test_training_agrees_with_the_oracle_on_every_clearance_target_and_purpose() -> None:
    for has, holds, level, needs, bears, keeps, purpose in product(
        [1, 3], [COMPARTMENTS[1], COMPARTMENTS[3]], range(4), COMPARTMENTS, range(4), COMPARTMENTS,
        ["research", "security"],
    ):  # fmt: skip
        verdict = ENGINE.decide(
            an_engineer(has, holds),
            "training:start",
            Resource("Model", "m", "n", None),
            {
                "purpose": purpose,
                "input_label": a_label(level, needs),
                "target_level": LEVELS[bears],
                "target_compartments": keeps,
            },
        )
        broken = {
            "no-train-up": not (has >= level and holds >= needs),
            "no-train-down": not (bears >= level and keeps >= needs),
            "training-purpose": purpose != "research",
        }
        forbidding = tuple(sorted(rule for rule, is_broken in broken.items() if is_broken))
        assert verdict.policy_ids == (forbidding or ("role-operates",))
