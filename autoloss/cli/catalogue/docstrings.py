"""The parts of a loss's description: formulas, remarks, words of a parameter."""

from __future__ import annotations

import inspect
import re

_SPAN = re.compile(r"``([^`]+)``")
_FORMULA = re.compile(r"^[LR] = ")
# A full stop inside a code span, such as a decimal point, does not end a sentence.
_SENTENCE = re.compile(r"(?:``[^`]*``|[^.`]|`(?!`)|\.(?!\s|$))+(?:\.(?=\s|$)|$)")
_SECTION = re.compile(r"^(\w[\w ]*):$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {4}(\w+): ((?:.+\n?(?: {8}.+\n?)*))", re.MULTILINE)


def formulas(doc: str) -> tuple[str, ...]:
    r"""Return the formulas of a description, the spans that begin with ``L =`` or ``R =``.

    Examples:
        >>> formulas("Short.\n\n``L = a +\nb`` for yes and ``L = c`` for no, with ``c = 1``.")
        ('L = a + b', 'L = c')
    """
    spans = (" ".join(span.split()) for span in _SPAN.findall(_body(doc)))
    return tuple(span for span in spans if _FORMULA.match(span))


def formula_text(doc: str) -> str:
    r"""Return the sentences with the formulas, which explain the letters.

    Examples:
        >>> formula_text("Short.\n\n``L = 0.5 a``, a being a number. It is bounded.")
        '``L = 0.5 a``, a being a number.'
    """
    return " ".join(one for one in _sentences(_body(doc)) if _has_formula(one))


def remarks(doc: str) -> str:
    r"""Return the rest of the description before its sections.

    Examples:
        >>> remarks("Short.\n\n``L = a``. It is bounded.\n\nArgs:\n    a: A number.")
        'It is bounded.'
    """
    _, _, rest = _body(doc).partition("\n\n")
    return " ".join(one for one in _sentences(rest) if not _has_formula(one))


def argument_text(doc: str, name: str) -> str:
    r"""Return the description of a parameter; empty if there is none.

    Examples:
        >>> argument_text("Short.\n\nArgs:\n    a: A number,\n        from 0.", "a")
        'A number, from 0.'
    """
    sections = _SECTION.split(inspect.cleandoc(doc))
    for title, text in zip(sections[1::2], sections[2::2], strict=True):
        if title == "Args":
            found = dict(_ARGUMENT.findall(text.strip("\n") + "\n"))
            return " ".join(found.get(name, "").split())
    return ""


def plain(text: str) -> str:
    """Return text without the marks of code.

    Examples:
        >>> plain("``softmax(z)`` of `focal`")
        'softmax(z) of focal'
    """
    return text.replace("`", "")


def _body(doc: str) -> str:
    """Return the paragraphs before the first section."""
    return _SECTION.split(inspect.cleandoc(doc))[0]


def _sentences(text: str) -> list[str]:
    paragraphs = text.split("\n\n")
    found = (" ".join(one.split()) for text in paragraphs for one in _SENTENCE.findall(text))
    return [one for one in found if one]


def _has_formula(sentence: str) -> bool:
    return any(_FORMULA.match(span) for span in _SPAN.findall(sentence))
