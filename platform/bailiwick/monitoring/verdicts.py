"""From the numbers of a check to one verdict and a sentence for the person on call. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bailiwick.monitoring.statistics import AccuracyResult, StatisticResult

# Below this, chance alone came near the default thresholds (decision 0005).
DEFAULT_MIN_ROWS = 1_000

_SUBJECTS = {
    "prediction": "The mix of predicted categories",
    "confidence": "Mean confidence",
    "characters": "Mean length of the text in characters",
    "words": "Mean number of words",
    "unseen_words_ratio": "Share of words never seen in training",
    "requests": "The number of requests",
    "tokens": "Number of tokens answered",
    "mean_log_probability": "Mean log-probability of the tokens",
    "tokens_per_word": "Mean number of tokens per word",
    "non_letter_ratio": "The share of characters that are no letters",
    "language": "The mix of languages",
    "text_key": "The share of texts that repeat another",
    "form_key": "The share of texts that repeat another but for case, digits and spaces",
    "embedding": "What texts are about, as the model's encoder sees it,",
    "entropy": "Mean entropy of the answers' probabilities",
    "refusal": "The share of answers that refuse",
    "repetition_ratio": "The share of repetition in answers",
}
_NAMES = {
    "non_letter_ratio": "characters that are no letters",
    "unseen_words_ratio": "words never seen in training",
    "language": "languages",
    "text_key": "texts that repeat",
    "form_key": "texts that repeat but for case, digits and spaces",
    "embedding": "what texts are about",
    "refusal": "answers that refuse",
    "repetition_ratio": "repetition in answers",
}
_TESTS = {"wasserstein": "normed Wasserstein distance", "jensenshannon": "Jensen-Shannon distance"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`harm` pages, `drift` is a note, `insufficient` says nothing either way."""

    kind: Literal["none", "drift", "harm", "insufficient"]
    sentence: str


def verdict(
    results: Sequence[StatisticResult],
    accuracy: AccuracyResult | None = None,
    *,
    rows: int = 0,
    min_rows: int = DEFAULT_MIN_ROWS,
) -> Verdict:
    """What a check of so many `rows` found: what moved, by how much, and whether it does harm.

    Accuracy that dropped is harm however few rows the window has: its interval already counts
    them. Distances are only believed when both sides have `min_rows`. The sentence names label
    categories, which describe the model, and never the text of a row.
    """
    drop = _accuracy_sentence(accuracy) if accuracy is not None and accuracy.dropped else ""
    rows = min((min(r.reference_rows, r.current_rows) for r in results), default=rows)
    if not results or rows < min_rows:
        if drop:
            return Verdict("harm", drop)
        return Verdict(
            "insufficient",
            f"Insufficient data: {rows:,} rows to compare, at least {min_rows:,} are needed.",
        )
    moved = sorted((r for r in results if r.drifted), key=_excess, reverse=True)
    sentences = ([drop] if drop else []) + [_statistic_sentence(result) for result in moved]
    if drop or any(result.harmful for result in moved):
        return Verdict("harm", " ".join(sentences))
    if moved:
        return Verdict("drift", " ".join([*sentences, *_steady(accuracy)]))
    quiet = f"None of {len(results)} statistics reached its threshold over {rows:,} rows."
    return Verdict("none", " ".join([quiet, *_steady(accuracy)]))


def subject_of(column: str) -> str:
    """A watched column in words, as the subject of a sentence."""
    feature, where, segment = column.partition(" where ")
    subject = _SUBJECTS.get(feature, f"'{feature}'")
    return f"{subject}{where}{segment.replace('=', ' is ')}"


def name_of(column: str) -> str:
    """A watched column in a few words, for lists and headings."""
    return _NAMES.get(column, column.replace("_", " "))


def _excess(result: StatisticResult) -> float:
    return result.statistic / result.threshold


def _statistic_sentence(result: StatisticResult) -> str:
    subject = subject_of(result.column)
    measured = f"({_TESTS[result.test]} {result.statistic:.2f}, threshold {result.threshold:.2f})."
    if result.movers:
        moves = ", ".join(
            f"'{mover.category}' {_direction(mover.reference_share, mover.current_share)} from "
            f"{mover.reference_share:.1%} to {mover.current_share:.1%}"
            for mover in result.movers[:3]
        )
        return f"{subject} changed: {moves} {measured}"
    before, now = result.reference_mean, result.current_mean
    if before is None or now is None or f"{before:.3g}" == f"{now:.3g}":
        return f"{subject} changed in its distribution, not its mean {measured}"
    return f"{subject} {_direction(before, now)} from {before:.3g} to {now:.3g} {measured}"


def _direction(before: float, now: float) -> str:
    return "rose" if now > before else "fell"


def _accuracy_sentence(accuracy: AccuracyResult) -> str:
    return (
        f"Accuracy fell from {accuracy.baseline:.1%} to {accuracy.accuracy:.1%} (interval "
        f"{accuracy.lower:.1%} to {accuracy.upper:.1%} on {accuracy.rows:,} labelled rows); "
        f"a drop of {accuracy.max_drop:.1%} is allowed."
    )


def _steady(accuracy: AccuracyResult | None) -> list[str]:
    if accuracy is None or accuracy.accuracy is None:
        return ["Accuracy is not known yet: too few labels have arrived."]
    known = f"Accuracy is {accuracy.accuracy:.1%} on {accuracy.rows:,} labelled rows"
    return [f"{known} (baseline {accuracy.baseline:.1%})."]
