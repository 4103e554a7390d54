"""Sentences that say what was found, shortened for lists."""


def headline(told: str) -> str:
    """The first of several sentences.

    >>> headline("Accuracy fell to 51.6%; 5.0% is allowed. It cannot be estimated.")
    'Accuracy fell to 51.6%; 5.0% is allowed.'
    """
    first, stop, _ = told.partition(". ")
    return f"{first}." if stop else told
