"""The one table: Markdown out of what was measured."""
import numpy as np

from .scores import interval

GROUPS = {"shared": "recordings and synthetic pieces together", "recordings": "recordings", "synthetic": "synthetic",
          "levels": "conformance files", "composed": "composed by grymsynth"}


def _together(values):
    """What both recordings and synthetic pieces tell of, over all of them."""
    both = {task for group, task in values if group == "recordings"} & {task for group, task in values if group == "synthetic"}
    merged = {}
    for task in both:
        parts = [values[group, task] for group in ("recordings", "synthetic")]
        merged["shared", task] = {who: [*parts[0][who], *parts[1][who]] for who in parts[0] if who in parts[1]}
    return merged


def accuracy_rows(values):
    """Flat rows. An error's mean is of its size; the worst is given too."""
    rows = []
    for (group, task), by_who in sorted({**values, **_together(values)}.items()):
        for who, found in by_who.items():
            size = np.abs(found) if "error" in task else np.array(found)
            rows.append({"group": group, "task": task, "who": who, "files": len(found), "mean": float(np.mean(size)),
                         "interval": interval(size), "worst": float(np.max(size)) if "error" in task else None})
    return rows


def _cell(row):
    digits = 1 if "in ms" in row["task"] else 3
    text = f"{row['mean']:.{digits}f}"
    if row["interval"]:
        text += f" [{row['interval'][0]:.{digits}f}, {row['interval'][1]:.{digits}f}]"
    if row["worst"] is not None:
        text += f", worst {row['worst']:.{digits}f}"
    return text


def _accuracy(rows):
    lines = []
    for group, title in GROUPS.items():
        of_group = [row for row in rows if row["group"] == group]
        if not of_group:
            continue
        lines += ["", f"**Accuracy: {title}** (mean over files, 95 % of bootstrapped means)", "",
                  "| task | files | grymsynth | others |", "|---|---:|---|---|"]
        for task in dict.fromkeys(row["task"] for row in of_group):
            of_task = [row for row in of_group if row["task"] == task]
            ours = next((row for row in of_task if row["who"] == "grymsynth"), None)
            best_first = sorted((row for row in of_task if row is not ours), key=lambda row: row["mean"],
                                reverse="error" not in task)
            others = "; ".join(f"{row['who']} {_cell(row)}" + ("" if not ours or row["files"] == ours["files"] else f" ({row['files']} files)")
                               for row in best_first)
            lines.append(f"| {task} | {max(row['files'] for row in of_task)} | {_cell(ours) if ours else ''} | {others} |")
    return lines


def _times(rows, seconds):
    lines = ["", f"**Time**: {seconds:.0f} s of mono at 44.1 kHz, ms, best of a few calls", "",
             "| work | grymsynth, one thread | two threads | others, one thread |", "|---|---:|---:|---|"]
    for work in dict.fromkeys(row["work"] for row in rows):
        of_work = [row for row in rows if row["work"] == work]
        ours = [row for row in of_work if row["who"].startswith("grymsynth")]
        others = sorted((row for row in of_work if row not in ours), key=lambda row: row["ms"])
        one = "; ".join(f"{row['ms']:.1f}" + row["who"].removeprefix("grymsynth") for row in ours)
        two = "; ".join(f"{row['ms_two_threads']:.1f}" for row in ours if row["ms_two_threads"] is not None)
        lines.append(f"| {work} | {one} | {two} | " + "; ".join(f"{row['who']} {row['ms']:.0f}" for row in others) + " |")
    return lines


def markdown(result):
    lines = [f"Versions: {result['versions']}. One thread but where two are named; ours hears with two as a whole alone.", ""]
    lines += [f"Missing: {name}: {why}" for name, why in result["missing"].items()] or ["Missing: none of the peers."]
    lines += _accuracy(result["accuracy"])
    if result["second_takes"] is not None:
        lines += ["", f"The composer's gate, which hears with this library, asked for a second take of {result['second_takes']} "
                      f"of the {result['composed']} composed pieces: where it did, the piece favours our ear."]
    lines += _times(result["time"], result["seconds"])
    lines += ["", "**Memory**: peak of a process over import and a whole analysis (each library's own whole), MB; its first "
                  "and second call, ms", "", "| library | peak | after import | first call | second call |", "|---|---:|---:|---:|---:|"]
    lines += [f"| {row['who']} | {row['peak_mb']:.0f} | {row['imported_mb']:.0f} | {row['first_ms']:.0f} | {row['second_ms']:.0f} |"
              for row in result["memory"]]
    lines += ["", "**Calibration**: how often we are right, by how sure we said we were", "",
              "| of | confidence | pieces | right |", "|---|---|---:|---:|"]
    lines += [f"| {row['what']} | {row['from']:.2f} to {row['to']:.2f} | {row['count']} | "
              + ("" if row["right"] is None else f"{row['right']:.2f}") + " |" for row in result["calibration"]]
    if result["invented"]:
        lines += ["", "Beats heard where there are none (speech, test signals): "
                  + "; ".join(f"{row['file'].split('/')[-1]} {row['beats']}" for row in result["invented"]) + "."]
    lines += ["", *[f"Failed: {failure}" for failure in result["failures"]]]
    return "\n".join(lines).rstrip() + "\n"
