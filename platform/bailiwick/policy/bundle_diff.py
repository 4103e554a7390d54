"""What differs between two policy bundles: policies, words of labels, actions and tests."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bailiwick.policy.bundle_tests import cases_of, read_tests
from bailiwick.policy.bundles import Files, Rules
from bailiwick.policy.classification import Scheme
from bailiwick.policy.decisions import PolicyEngine


def diff_bundles(old: Rules, new: Rules) -> dict[str, Any]:
    """The differences, as JSON.

    Each part has what was `added`, `removed` and `changed`, by name; of a policy with its effect,
    reason and text before and after. What holds between the words of labels (the order of levels,
    which zone lies in which) counts as a change of those words.
    """
    return {
        "old": old.digest,
        "new": new.digest,
        "policies": _compared(_policies(old.engine), _policies(new.engine)),
        "actions": _compared(
            dict.fromkeys(old.engine.actions), dict.fromkeys(new.engine.actions), values=False
        ),
        "words": {
            kind: _compared(words, _words(new.scheme)[kind])
            for kind, words in _words(old.scheme).items()
        },
        "tests": _compared(_cases(old.files), _cases(new.files), values=False),
        "files": _compared(dict(old.files), dict(new.files), values=False),
    }


def _compared(old: Mapping[str, Any], new: Mapping[str, Any], *, values: bool = True) -> Any:
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    if not values:
        return {
            "added": sorted(new.keys() - old.keys()),
            "removed": sorted(old.keys() - new.keys()),
            "changed": changed,
        }
    return {
        "added": {name: new[name] for name in sorted(new.keys() - old.keys())},
        "removed": {name: old[name] for name in sorted(old.keys() - new.keys())},
        "changed": {name: {"old": old[name], "new": new[name]} for name in changed},
    }


def _policies(engine: PolicyEngine) -> dict[str, Any]:
    return {
        policy.id: {"effect": policy.effect, "reason": policy.reason, "text": policy.text}
        for policy in engine.policies.values()
    }


def _words(scheme: Scheme) -> dict[str, dict[str, Any]]:
    return {
        "levels": {level: scheme.level_number(level) for level in scheme.levels},
        "compartments": dict(scheme.compartments),
        "zones": dict(scheme.zones),
        "purposes": dict(scheme.purposes),
    }


def _cases(files: Files) -> dict[str, Any]:
    """The cases of a bundle's tables by what they say; a repeated one with its number."""
    found: dict[str, Any] = {}
    repeated = Counter[str]()
    for name, case in cases_of(read_tests(files)):
        title = f"{name}: {case['it']}"
        repeated[title] += 1
        found[f"{title} ({repeated[title]})" if repeated[title] > 1 else title] = case
    return found
