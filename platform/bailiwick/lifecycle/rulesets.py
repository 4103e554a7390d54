"""The rules in force: those of the newest activation, else those that this process came with.

Each request, tick and job step asks (`Platform.in_force`), so an activation is followed at once
by every process, and what has begun ends under the rules with which it began.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError, Invalid, Unavailable
from bailiwick.lifecycle.gates import Tier, parse_tiers
from bailiwick.policy import PolicyBundle, Rules, read_bundle, standing

GATES_FILE = "gates.yaml"
KEPT = 8


@dataclass(frozen=True)
class Ruleset:
    """All that a bundle says, loaded: its policies and words, and its gates."""

    rules: Rules
    tiers: dict[str, Tier]

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "Ruleset":
        """Parse and validate a bundle; `Invalid` says which file is wrong."""
        if GATES_FILE not in files:
            raise Invalid(f"The bundle needs its gates, {GATES_FILE}.")
        return cls(Rules.of(files), parse_tiers(GATES_FILE, files[GATES_FILE]))


class Rulesets:
    """The bundles that this process has loaded, by digest. Safe to share between threads."""

    def __init__(self, shipped: Ruleset) -> None:
        self._shipped = shipped
        self._loaded: dict[str, Ruleset] = {}

    @classmethod
    def load(cls, folder: Path, *, single_sign_on: bool = False) -> "Rulesets":
        """Begin with the bundle in a folder. `single_sign_on`: whether there is a provider."""
        shipped = Ruleset.of(read_bundle(folder))
        rules = replace(shipped.rules, single_sign_on=single_sign_on)
        return cls(replace(shipped, rules=rules))

    @property
    def shipped(self) -> Ruleset:
        """What is in force as long as nothing has been activated."""
        return self._shipped

    def in_force(self, session: Session) -> Ruleset:
        """What is in force now.

        Raises `Unavailable` when it cannot be loaded here: then nothing is allowed.
        """
        newest = standing(session)
        if newest is None or newest.digest == self._shipped.rules.digest:
            return self._shipped
        return self._loaded.get(newest.digest) or self.of(
            session.get_one(PolicyBundle, newest.bundle_id), expected=newest.digest
        )

    def of(self, bundle: PolicyBundle, *, expected: str | None = None) -> Ruleset:
        """A stored bundle, loaded once; `Unavailable` if this version cannot read it."""
        digest = expected or bundle.digest
        if digest == self._shipped.rules.digest:
            return self._shipped
        if (known := self._loaded.get(digest)) is not None:
            return known
        try:
            ruleset = Ruleset.of(files_of(bundle))
        except BailiwickError as error:
            raise Unavailable(
                f"The policies {digest[:12]} cannot be loaded by this version of Bailiwick, so "
                f"nothing is allowed under them: {error.message} Run the version that they were "
                "activated with, and activate others there."
            ) from error
        if ruleset.rules.digest != digest:
            raise Unavailable(
                f"The policies {digest[:12]} are stored with other contents than were activated, "
                "so nothing is allowed: restore the database from a backup, and find out who "
                "changed it."
            )
        # Whichever bundle answers: it is the same installation, and counts in one place.
        here = self._shipped.rules
        rules = replace(ruleset.rules, single_sign_on=here.single_sign_on, tallies=here.tallies)
        while len(self._loaded) >= KEPT:
            self._loaded.pop(next(iter(self._loaded)), None)
        self._loaded[digest] = replace(ruleset, rules=rules)
        return self._loaded[digest]


def files_of(bundle: PolicyBundle) -> dict[str, bytes]:
    """The files of a stored bundle."""
    return {name: text.encode() for name, text in bundle.files.items()}
