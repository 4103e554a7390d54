"""How loud an alert is. The rules are here and nowhere else.

| what was found | severity |
| --- | --- |
| harm: accuracy was lost (by labels or a trusted estimate), or a harmful statistic moved | page |
| drift: traffic moved, and nothing shows that it hurts, or accuracy is estimated as before | note |
| drift that may reach the smallest change worth waking somebody for, its effect unknown | warning |
| skew: a version's first requests are unlike the rows it was evaluated on | warning |
| out of policy, and the platform will stop the deployment, or has | page |
| out of policy, and nothing stops it | warning |
| a rollout was rolled back, waits for traffic, or another version serves than was told | warning |
| a kind that these rules do not know | warning |

A page wakes somebody, a warning is for working hours, a note is for whoever looks.
"""

from enum import StrEnum

OUT_OF_POLICY = "out-of-policy"


class Severity(StrEnum):
    """How loud an alert is, from the quietest on."""

    NOTE = "note"
    WARNING = "warning"
    PAGE = "page"

    @property
    def rank(self) -> int:
        """0 for the quietest."""
        return list(Severity).index(self)


_BY_KIND = {"drift": Severity.NOTE, "harm": Severity.PAGE, "skew": Severity.WARNING}


def severity_of(kind: str, *, stops: bool = False, worth_waking: bool = False) -> Severity:
    """The severity of a kind of finding; `stops`: the platform stops, or stopped, the deployment.

    `worth_waking`: a change of traffic that may be as large as its monitor calls worth it.

    >>> [str(severity_of(kind)) for kind in ("drift", "harm", "out-of-policy", "new")]
    ['note', 'page', 'warning', 'warning']
    >>> str(severity_of("out-of-policy", stops=True))
    'page'
    """
    if kind == OUT_OF_POLICY and stops:
        return Severity.PAGE
    if kind == "drift" and worth_waking:
        return Severity.WARNING
    return _BY_KIND.get(kind, Severity.WARNING)
