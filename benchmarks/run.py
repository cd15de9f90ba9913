"""All benchmarks, or those that are named, as a page: ``python benchmarks/run.py [steps similarity ...]``.

``make bench`` installs the peers and runs everything. Each benchmark is a process of its own, one after the other; let
nothing else compute meanwhile. What was measured is kept after each in ``results/reference/benchmarks.json``, of which
``benchmarks.md`` beside it is made, so that an interruption costs no more than the benchmark that it interrupts.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

from common import ROOT, markdown

COMPARISONS = ("steps", "similarity", "mosaic", "restoring", "reproduce", "startup")
TABLES = ("growth", "belt")
KEPT, PAGE = (ROOT / "results" / "reference" / f"benchmarks.{kind}" for kind in ("json", "md"))
HEAD = """# Benchmarks

The kit beside what a user would pick instead, made by `make bench`: {processor}, {vectors}, {cores} cores, Python
{python}, PyTorch {torch}, the kit as it was at commit {commit}. Two threads where nothing else is said. All ways of a
row were measured in one run and took turns; times are of the fastest round. **Ratio** says how many times better than
the peer; **wanted** are the ratios that were set beforehand, `at least / aim`, for start-up the seconds. Convolutions
take most of the time, and PyTorch computes them about as fast as the processor can: the largest gain is not in the
program but in a smaller network, row 7.
"""


def main(names: list[str]) -> None:
    from orelib.utils.files import write_text
    from orelib.utils.provenance import git

    machine = this_machine()
    rows, commit = kept(machine), git("rev-parse", "--short", "HEAD") or "unknown"
    for name in names:
        rows[name] = measured(name)
        write_text(KEPT, json.dumps({"machine": machine, "commit": commit, "rows": rows}, indent=1) + "\n")
        write_text(PAGE, page(machine, commit, rows))


def this_machine() -> dict:
    """What the ratios depend on. Processors of one name can differ in how much they compute at once."""
    import torch

    from orelib.utils.provenance import has_bfloat16, processor

    vectors = torch.backends.cpu.get_cpu_capability() + (" with bfloat16" if has_bfloat16() else "")
    return dict(
        processor=processor(), vectors=vectors, cores=os.cpu_count(),
        python=platform.python_version(), torch=version("torch"),
    )  # fmt: skip


def kept(machine: dict) -> dict[str, list[dict]]:
    """The rows of each benchmark that were measured on this machine with this PyTorch."""
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {"machine": machine, "rows": {}}
    if found["machine"] != machine:
        print(f"{KEPT.name} holds what another machine measured: all of it is replaced", file=sys.stderr)
        return {}
    return found["rows"]


def page(machine: dict, commit: str, rows: dict[str, list[dict]]) -> str:
    """Everything measured, as Markdown; ``commit`` is that of the last benchmark."""
    parts = [HEAD.format(**machine, commit=commit)]
    if comparisons := [row for name in COMPARISONS for row in rows.get(name, [])]:
        parts.append(markdown([{title: cell(row) for title, cell in COLUMNS.items()} for row in comparisons]))
        findings = {row["finding"]: row["number"] for row in reversed(comparisons) if row["finding"]}
        parts.append("\n## What was found\n")
        parts += [f"- **Row {n}.** {finding}" for finding, n in sorted(findings.items(), key=lambda item: item[1])]
        if short := [row for row in comparisons if row["at_least"] is not None and row["verdict"] == "short"]:
            parts.append("\n## What falls short\n")
            parts += [f"- {falls_short(row)}" for row in short]
    for name in TABLES:
        if name in rows:
            parts.append(f"\n## {import_module(name).__doc__.splitlines()[0]}\n\n{markdown(rows[name])}")
    return "\n".join(parts) + "\n"


def falls_short(row: dict) -> str:
    """A sentence on a comparison that missed what was wanted."""
    reached = f"{row['ratio']:.3f} times" if row["theirs"] is not None else quantity(row["ours"], row["unit"])
    against = f", against {row['against']}" if row["against"] else ""
    return f"Row {row['number']}, {row['what']}{against}: {reached} instead of at least {row['at_least']:g}."


def measured(name: str) -> list[dict]:
    """What a benchmark's ``measure()`` returns, in a fresh process."""
    print(f"measuring: {name}", file=sys.stderr, flush=True)
    code = (
        f"import contextlib, json, sys, common, {name}\n"
        f"with contextlib.redirect_stdout(sys.stderr): rows = {name}.measure()\n"
        "print(json.dumps([common.as_dict(row) for row in rows]))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])  # before it, what the programs that it ran have printed


def quantity(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "s" and value < 1:
        return f"{1000 * value:.0f} ms" if value >= 0.01 else f"{1000 * value:.1f} ms"
    return f"{value:.3g} {unit}"


COLUMNS = {
    "row": lambda row: row["number"],
    "what": lambda row: row["what"],
    "orelib": lambda row: quantity(row["ours"], row["unit"]),
    "peer": lambda row: quantity(row["theirs"], row["unit"]),
    "against": lambda row: row["against"] or "-",
    "ratio": lambda row: "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
    "wanted": lambda row: "-" if row["at_least"] is None else f"{row['at_least']:g} / {row['aim']:g}",
    "reached": lambda row: "-" if row["at_least"] is None else row["verdict"],
}


if __name__ == "__main__":
    main(sys.argv[1:] or [*COMPARISONS, *TABLES])
