"""Frozen values that cross folders: trials, verdicts, a study's summary. No torch, no optuna.

Floor 1. Imports core alone.
"""

from autoloss.records.code_lengths import CodeBlock, CodeLengths, TrainingCode
from autoloss.records.divisions import DataSummary, LabelCount, Resampling
from autoloss.records.insights import (
    ClassScores,
    Confusion,
    CostCurve,
    Disagreements,
    Ranking,
    Signals,
    Threshold,
)
from autoloss.records.labels import LabelFigures, LabelInsights, LabelPair
from autoloss.records.plans import Plan, Update
from autoloss.records.reliability import Reliability, Tails, TopShare
from autoloss.records.studies import MetricRecord, PersonalChoice, StudyListing, Summary
from autoloss.records.tags import SegmentLengths, TagFigures, TaggedSequence, TagInsights
from autoloss.records.training_runs import TrainingReport, TrainingState, mean_curve, merged
from autoloss.records.trials import (
    REFINED_LOG_LOSS,
    CurvePoint,
    Edge,
    TrialRecord,
    TrialState,
    loss_label,
)
from autoloss.records.verdicts import (
    Comparison,
    Coverage,
    Decision,
    Finalist,
    Gain,
    Optimism,
    PairOptimism,
    Reference,
    Refit,
    ShippingPolicy,
    Verdict,
)

__all__ = [
    "REFINED_LOG_LOSS",
    "ClassScores",
    "CodeBlock",
    "CodeLengths",
    "Comparison",
    "Confusion",
    "CostCurve",
    "Coverage",
    "CurvePoint",
    "DataSummary",
    "Decision",
    "Disagreements",
    "Edge",
    "Finalist",
    "Gain",
    "LabelCount",
    "LabelFigures",
    "LabelInsights",
    "LabelPair",
    "MetricRecord",
    "Optimism",
    "PairOptimism",
    "PersonalChoice",
    "Plan",
    "Ranking",
    "Reference",
    "Refit",
    "Reliability",
    "Resampling",
    "SegmentLengths",
    "ShippingPolicy",
    "Signals",
    "StudyListing",
    "Summary",
    "TagFigures",
    "TagInsights",
    "TaggedSequence",
    "Tails",
    "Threshold",
    "TopShare",
    "TrainingCode",
    "TrainingReport",
    "TrainingState",
    "TrialRecord",
    "TrialState",
    "Update",
    "Verdict",
    "loss_label",
    "mean_curve",
    "merged",
]
