"""Make docs/conversions.md: ComfyUI's own templates by our converter, beside what the canvas sends.

    python benchmarks/conversion/templates.py "0.33.0, frontend 1.58.1, templates 0.1.123=DIR" …

DIR is what canvas_truth.py filled. Without any the page is made anew of the figures that are kept in results.json.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from likeness_studio.benchmarks.conversion.verdicts import judge_all

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "conversions.md"
WORDS = ("equal", "refused", "canvas at fault", "wrong", "not judged")

INTRO = """\
# What the canvas would send

A file that was saved by ComfyUI's canvas is not what its Run button sends. `likeness` converts it, and this page holds
the result against the canvas itself, `app.graphToPrompt()` in headless Chromium on a real ComfyUI, for every template
that ComfyUI brings. It is made by `python benchmarks/conversion/templates.py`.

**Equal** is: the same nodes, classes, links and values. Ids may differ: newer canvases renumber nodes in subgraphs.
Inputs that no node class has, such as a button's, do not count, nor does the camera of a 3D preview. **Refused** is an
error with a code: the file leaves it open, the node class is another one by now, or only the browser can make what is
sent. **Canvas at fault**: it drops a link of the file when it opens it, leaves out a required value, or sends one that
the class does not offer where the file has one that it does. **Not judged** are templates with nodes that the server
lacks: what the canvas sends of them is no graph. Titles are not compared: the canvas translates those of some classes;
they are named below. Where a file names its values, the canvas was asked to read them by name (its setting *Restore
widget values by name*).

| ComfyUI and templates | templates | """


def page(results: dict[str, dict[str, list[str]]]) -> str:
    """The whole page."""
    lines = [INTRO + " | ".join(WORDS) + " |", "|---" * (len(WORDS) + 2) + "|"]
    for name, verdicts in results.items():
        counts = Counter(word for word, _ in verdicts.values())
        lines.append(f"| {name} | {len(verdicts)} | " + " | ".join(str(counts[word]) for word in WORDS) + " |")
    for name, verdicts in results.items():
        lines += ["", f"## {name}"]
        for word in WORDS[1:4]:
            rows = [f"- `{key}`: {_escaped(why)}" for key, (verdict, why) in verdicts.items() if verdict == word]
            lines += ["", f"### {word.capitalize()}", "", *rows] if rows else []
        titles = sorted({kind for _, why in verdicts.values() if why.startswith("titles of ")
                         for kind in why.removeprefix("titles of ").split(", ")})  # fmt: skip
        lines += ["", "Other titles on the canvas: " + ", ".join(titles) + "."] if titles else []
        by_name = [key for key, (_, why) in verdicts.items() if why.startswith("by the names")]
        lines += ["", "Equal by the names in the file only: " + ", ".join(by_name) + "."] if by_name else []
        lacking = [key for key, (verdict, _) in verdicts.items() if verdict == "not judged"]
        lines += ["", "Not judged: " + ", ".join(lacking) + "."] if lacking else []
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return " ".join(text.replace("<", "\\<").replace("*", "\\*").split())


def main() -> None:
    """See the head of this file."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("sets", nargs="*", metavar="NAME=DIR")
    given = words.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name, _, folder in (text.rpartition("=") for text in given.sets):
        results[name] = judge_all(Path(folder))
        print(name, dict(Counter(word for word, _ in results[name].values())))
    RESULTS.write_text(json.dumps(results, indent=0, sort_keys=True) + "\n")
    PAGE.write_text(page(results))


if __name__ == "__main__":
    main()
