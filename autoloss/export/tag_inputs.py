"""The inputs of an exported graph for sequences: a form, numbers and codes of every token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from autoloss.core.errors import InputError
from autoloss.data.sequences.encode import (
    BUCKETS,
    GRAMS,
    SHAPES,
    SequenceEncoding,
    TokenNumbers,
)
from autoloss.export.model_parts import decision_of
from autoloss.inference.classifier import Classifier

_FORMS = {
    "forms": "int64 (T,), number of the token's form in forms, 0 for any other",
    "words": "float64 (T, W), n-grams and shape of the word; W is 0 where tokens are letters",
    "numbers": "float64 (T, number of numbers), in this order, NaN where missing",
    "levels": "int64 (T, number of levels), in this order, by the tables of levels, else 0",
    "around": "int64 (T, 2), the tokens before and after each token in its sequence; several "
    "sequences stand one after the other",
}
_OUTPUTS = {"code": "int64 (T,), index in the classes", "probabilities": "float64 (T, C)"}
_WORDS = (
    "n-grams: write <token> in lower case, digits as 0; for n of"
    f" {', '.join(map(str, GRAMS))} let c be the CRC-32 of each n-gram in UTF-8 and add 1, or -1"
    f" if c is below 2**31, at c % {BUCKETS}; divide by the Euclidean norm. Then {SHAPES} numbers"
    " of the token as written: starts in upper case; more than one letter and all in upper case;"
    " letters, none in upper case; upper case after the first character alone; digits alone;"
    " digits and letters; neither; one character; a hyphen inside; starts with @ or # and is"
    " longer than that (each 1 or 0); share of upper-case characters; characters, at most 20,"
    " divided by 10."
)


@dataclass(frozen=True)
class TagInputs:
    """The inputs of a graph for sequences, of each token.

    Args:
        letters: Whether tokens are letters, which are looked up as they are.
        forms: The forms that an encoding knows, with codes from 1 on.
        numbers: Names of the features that are numbers.
        levels: Names and words of the features that are words, with codes from 1 on.
    """

    letters: bool
    forms: tuple[str, ...]
    numbers: tuple[str, ...]
    levels: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, classifier: Classifier, form: str) -> Self:
        """Return the inputs of a model of sequences.

        Raises:
            InputError: If its training runs disagree on the kind of a column.
        """
        encodings: Sequence[SequenceEncoding] = classifier.encodings
        kinds: dict[str, set[str]] = {encodings[0].tokens.tokens: set()}
        words: dict[str, dict[str, None]] = {}
        for one in encodings:
            kinds[one.tokens.tokens].add("letters" if one.letters else "words")
            for feature in one.features:
                is_number = isinstance(feature, TokenNumbers)
                kinds.setdefault(feature.name, set()).add("numbers" if is_number else "words")
                if not isinstance(feature, TokenNumbers):
                    words.setdefault(feature.name, {}).update(dict.fromkeys(feature.levels))
        mixed = [name for name, own in kinds.items() if len(own) > 1]
        if mixed:
            raise InputError(
                f"--to {form} must be asked for a model whose training runs agree on the kind of "
                f"every column, but they read {mixed[0]!r} as "
                f"{' and '.join(sorted(kinds[mixed[0]]))}; use --to code or --to mlflow."
            )
        return cls(
            encodings[0].letters,
            tuple(dict.fromkeys(form for one in encodings for form in one.forms)),
            tuple(name for name, own in kinds.items() if "numbers" in own),
            tuple((name, tuple(own)) for name, own in words.items()),
        )

    @property
    def word_width(self) -> int:
        """Return the numbers of a word, its n-grams and its shape."""
        return 0 if self.letters else BUCKETS + SHAPES

    def describe(self, classifier: Classifier) -> dict[str, Any]:
        """Return the description of inputs, tags and decision, for JSON."""
        return {
            "inputs": _FORMS,
            "outputs": _OUTPUTS,
            "forms": {form: code for code, form in enumerate(self.forms, start=1)},
            "form": "the token as written" if self.letters else "lower case, digits as 0",
            **({} if self.letters else {"words": _WORDS}),
            "numbers": list(self.numbers),
            "levels": {
                name: {word: code for code, word in enumerate(words, start=1)}
                for name, words in self.levels
            },
            "tokens": classifier.encodings[0].tokens.tokens,
            "classes": list(classifier.task.classes),
            "target": classifier.task.target,
            **decision_of(classifier),
        }
