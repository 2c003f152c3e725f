"""Words and tables for code lengths: bits a label, perplexity and compression."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import CodeLengths, Summary, TrainingCode
from autoloss.report.rows import are_tokens, rows_name
from autoloss.report.words import MISSING, share_text

_SHARES, _TUNED, _CHALLENGER = "Class shares", "Tuned cross-entropy", "Challenger"
_ORDERS = {"random": "a random order", "time": "the order of time"}


@dataclass(frozen=True)
class CodeTable:
    """A table of code lengths: its title, a sentence or more, its columns and its rows."""

    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class CodeFacts:
    """The code lengths as a reader sees them.

    Args:
        text: The meaning of the numbers.
        tables: The rows of the verdict first, then the training rows and the blocks of their
            prequential code.
        reason: Why there are no codes of the training rows; empty for no reason.
    """

    text: str
    tables: tuple[CodeTable, ...]
    reason: str


def code_facts(summary: Summary) -> CodeFacts | None:
    """Return the code lengths; None in older studies."""
    found = summary.code_lengths
    if found is None:
        return None
    unit = "token" if are_tokens(summary) else "label"
    models = [(_TUNED, found.baseline)]
    if summary.verdict.challenger != summary.verdict.baseline:
        models.append((_CHALLENGER, found.challenger))
    text = (
        f"A code that gives a {unit} of probability p the length of -log2 p bits compresses the "
        f"{unit}s; its mean length is the log loss over ln 2. Perplexity, 2 to the power of the "
        "bits, is the number of equally likely classes that would take as many."
    )
    head = CodeTable(
        f"On the {rows_name(summary)}",
        f"{found.labels:,} {unit}s. Compression is relative to a code that knows the class shares "
        "of the training rows.",
        ("", f"Bits per {unit}", "Perplexity", "Compression"),
        tuple(
            (name, _bits(bits), perplexity_text(bits), compression_text(bits, found.prior))
            for name, bits in ((_SHARES, found.prior), *models)
        ),
    )
    tables = [head]
    if found.training is not None:
        tables += _training_tables(found.training, unit, has_challenger=len(models) > 1)
    return CodeFacts(text, tuple(tables), _reason(found))


def perplexity_text(bits: float) -> str:
    """Return the perplexity of a code length.

    Examples:
        >>> perplexity_text(1.0)
        '2.00'
    """
    return f"{2**bits:.2f}" if bits < 64 else MISSING


def compression_text(bits: float, prior: float) -> str:
    """Return the share of the bits of the class shares that a code saves.

    Examples:
        >>> compression_text(0.5, 2.0), compression_text(8.0, 2.0)
        ('75.0%', 'none: 4.0 times as long')
    """
    if not (math.isfinite(bits) and prior > 0):
        return MISSING
    if bits <= prior:
        return share_text(1 - bits / prior)
    return f"none: {bits / prior:,.1f} times as long"


def _training_tables(
    found: TrainingCode, unit: str, *, has_challenger: bool
) -> tuple[CodeTable, CodeTable]:
    """Return the codes of the training rows, and the blocks of the prequential code."""
    sides = [(_TUNED, 1), (_CHALLENGER, 0)][: 1 + has_challenger]
    every = [(f"{_SHARES}, updated by every {unit}", found.prior)]
    every += [(f"{name}, prequential", found.prequential[side]) for name, side in sides]
    every += [(f"{name}, two-part", found.two_part[side]) for name, side in sides]
    codes = CodeTable(
        "On the training rows",
        f"{found.labels:,} {unit}s of {found.rows:,} rows. These codes include the cost of the "
        f"model: the receiver knows the inputs and no {unit}. "
        f"The prequential code sends blocks in {_ORDERS[found.order]}, each with networks that "
        "learnt from the blocks before. The two-part code sends a network first, half of log2 "
        f"{found.rows:,} bits for each of its {found.weights:,} weights. Neither includes "
        "the cost of the settings that the search chose on these rows.",
        ("Code", f"Bits per {unit}", "Compression"),
        tuple((name, _bits(bits), compression_text(bits, found.prior)) for name, bits in every),
    )
    rows = []
    for one in found.blocks:
        own = (one.baseline, one.challenger)[: len(sides)]
        rows.append(
            (f"{one.before:,}", f"{one.labels:,}", _bits(one.prior), *(_bits(b) for b in own))
        )
    blocks = CodeTable(
        f"Bits per {unit} of each block",
        "The class shares alone code the first block.",
        ("Rows before", f"{unit.capitalize()}s", _SHARES, *(name for name, _ in sides)),
        tuple(rows),
    )
    return codes, blocks


def _bits(bits: float) -> str:
    return f"{bits:.4f}" if math.isfinite(bits) else MISSING


def _reason(found: CodeLengths) -> str:
    if not found.reason:
        return ""
    return f"The training rows have no code: {found.reason}."
