"""Example command lines for the end of each command's help; a test parses them all."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "search": (
        "autoloss search churn.csv --target churned",
        "autoloss search churn.csv -t churned --time-limit 10m --dry-run",
        "autoloss search sklearn:digits --trials 64 --json > digits.json",
    ),
    "resume": (
        "autoloss resume churn",
        "autoloss resume churn --judge-now",
        "autoloss resume churn --out studies --quiet",
    ),
    "list": (
        "autoloss list",
        "autoloss list --out studies",
    ),
    "select": (
        "autoloss select churn --by calibration --dry-run",
        "autoloss select churn --trial 17 --because 'fewer false alarms'",
        "autoloss select churn --by error --dry-run --source loss.py",
    ),
    "report": (
        "autoloss report churn",
        "autoloss report churn --to sent",
        "autoloss report --schema > summary.schema.json",
    ),
    "predict": (
        "autoloss predict churn new.csv -o predictions.csv",
        "autoloss predict churn new.parquet --id customer -o predictions.parquet",
        "autoloss predict reports/churn/model new.csv -o - | head",
    ),
    "export": (
        "autoloss export churn --to onnx -o churn.onnx",
        "autoloss export churn --to mlflow -o churn-model",
    ),
    "diagnose": (
        "autoloss diagnose churn new_rows.csv",
        "autoloss diagnose --logits valid.npz --loss 'focal gamma=3' -o valid.html",
    ),
    "ui": (
        "autoloss ui",
        "autoloss ui churn --port 5001 --no-browser",
    ),
    "losses": (
        "autoloss losses",
        "autoloss losses focal",
        "autoloss losses --family robust --task binary",
    ),
    "spaces": (
        "autoloss spaces",
        "autoloss spaces quick > mine.toml",
        "autoloss spaces --check mine.toml",
    ),
    "bench": (
        "autoloss bench",
        "autoloss bench --together 64 --device cuda --json",
    ),
}
"""The commands, in the order in which a user needs them."""


def epilog(name: str) -> str:
    """Return the examples of a command as the end of its help; empty without examples."""
    lines = [f"$ {line}" for line in EXAMPLES.get(name, ())]
    # An empty line between examples keeps them separate paragraphs.
    return "\n\n".join(["Examples:", *lines] if lines else [])
