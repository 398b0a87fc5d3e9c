"""The measured part of the model card."""

from __future__ import annotations

from pathlib import Path

from scripts.demo_model.obedience import GUIDANCE, NEGATIVES, STEPS, Report

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

BY_COLOUR = {"skin": 0.985}  # read by `read_skins`, not by the probe; its share of right answers on 2,000 rendered ones


def format_report(report: Report, ceiling: dict[str, float]) -> str:
    """The measurement as Markdown; `ceiling` is the probe's own accuracy on rendered pictures it has not seen."""
    lines = [
        f"{report.prompts} prompts of untrained combinations, DDIM, {STEPS} steps, guidance {GUIDANCE:g}.",
        "",
        "| asked for | obeyed | prompts | probe on real pictures |",
        "| --- | --- | --- | --- |",
    ]
    for name, share in report.obeyed.items():
        lines.append(f"| {name} | {share:.2f} | {report.asked[name]} | {(ceiling | BY_COLOUR)[name]:.3f} |")
    lines += [
        "",
        f"Painted without being asked for: eyewear {report.eyewear_false:.2f}, cat ears {report.cat_ears_false:.2f}.",
        "",
        f'Negative prompts, {report.negatives_of} pictures of "portrait" each:',
        "",
        "| concept | without | with the negative prompt | free of it |",
        "| --- | --- | --- | --- |",
    ]
    for concept, (plain, negated) in report.negatives.items():
        free = report.negatives_of - negated
        lines.append(f"| {concept} | {plain} | {negated} (`{NEGATIVES[concept]}`) | {free} of {report.negatives_of} |")
    lines += [
        "",
        "Diversity (root mean square difference of two pictures, 0 to 1): two seeds of a prompt that names everything "
        f'{report.seed_distance:.3f}, two seeds of "portrait" {report.open_distance:.3f}, two different prompts '
        f"{report.prompt_distance:.3f}.",
    ]
    return "\n".join(lines)


def write_measured(card: Path, text: str) -> None:
    """Replace what stands between the card's markers. Raises ValueError if they are missing."""
    before, begin, rest = card.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{card} has no place for the measurement: {BEGIN} … {END}")
    card.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
