"""Tables of `vlmft data`: the report of a check, and samples with their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from vlmft_console.commands.output import add_row, new_table, print_table
from vlmft_console.commands.terminal_picture import draws, print_picture
from vlmft_console.figures import percent
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import counted, short

_ALTERED: Final = {
    "scaled_down": "scaled down to at most {max_pixels:,} pixels",
    "scaled_up": "scaled up to at least {min_pixels:,} pixels",
    "rotated": "rotated as EXIF says",
    "on_white": "flattened on white",
    "from_16_bit": "scaled from 16 bit",
    "first_frame": "first frame of an animation",
}
"""What is done with images, as the trainer's report counts it."""

_BAR: Final = 30
"""Characters of a histogram's longest bar."""


def print_report(report: Mapping[str, Any]) -> None:
    """Print what a check found."""
    for source in report["sources"]:
        table = new_table()
        columns = "".join(f", {its} as {ours}" for ours, its in source["columns"].items())
        add_row(table, "source", f"{source['path']} ({source['task']}{columns})")
        for note in source["notes"]:
            add_row(table, "note", note)
        for split in source["splits"]:
            _add_split(table, split, report)
        leaks, shared = source["leaks"], source["shared_images"]
        _add_places(table, "leakage", f"eval questions that are trained on: {leaks['count']:,}", leaks)
        if shared:
            add_row(table, "", f"images in both training and eval: {shared:,}")
        print_table(table)
    table = new_table()
    add_row(table, "base", report["base"]["name"])
    if report["base"]["note"]:
        add_row(table, "note", report["base"]["note"])
    limit = f"data.max_bad is {percent(report['max_bad'])}"
    add_row(table, "verdict", f"can be trained on; {limit}" if report["starts"] else f"would not start: {limit}")
    print_table(table)


def _add_split(table: Any, split: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """One split's rows; `report` knows the limits."""
    dropped = split["samples"] - split["usable"]
    share = f" ({percent(dropped / split['samples'])})" if split["samples"] else ""
    add_row(table, split["kind"], f"{counted(split['samples'], 'sample')}, {dropped:,} cannot be used{share}")
    for reason, found in split["unusable"].items():
        _add_places(table, "", f"{found['count']:,} {reason}", found)
    for line in split["unused"]:
        add_row(table, "", line)
    if split["empty_questions"]:
        add_row(table, "", f"last questions without a text or an image: {split['empty_questions']:,}")
    if split["spaced_answers"]:
        add_row(table, "", f"answers that begin or end with white space, which is kept: {split['spaced_answers']:,}")
    kinds = (("text only", "text_only"), ("several images", "several_images"), ("several answers", "several_answers"))
    said = [f"{split[key]:,} with {name}" if key != "text_only" else f"{split[key]:,} {name}" for name, key in kinds]
    unseen = f" ({split['images_not_decoded']:,} not decoded: --deep does)" if split["images_not_decoded"] else ""
    add_row(table, "", f"different images: {split['images']:,}{unseen}; samples: {', '.join(said)}")
    asked = split["asked_images"]
    if split["kind"] == "training" and asked["saved_tokens"]:
        each, saved = asked["questions"] / asked["images"], asked["saved_tokens"] / split["tokens"]["sum"]
        text = f"{short(each)} questions begin with the same images; training.share_images: auto saves {percent(saved)}"
        add_row(table, "", f"{text} of the tokens")
    if altered := [
        f"{count:,} {_ALTERED[what].format_map(report)}" for what, count in split["altered_images"].items() if count
    ]:
        add_row(table, "", f"of these images: {', '.join(altered)}")
    if split["boxes"]:
        add_row(table, "", f"boxes and points, scaled with their images: {split['boxes']:,}")
    undeclared = split["undeclared_boxes"]
    text = (
        f"samples with boxes or box tokens in texts, left as they are: {undeclared['count']:,}; see data.sources boxes"
    )
    _add_places(table, "", text, undeclared)
    _add_places(table, "", f"duplicates: {split['duplicates']['count']:,}", split["duplicates"])
    _add_lengths(table, split)


def _add_lengths(table: Any, split: Mapping[str, Any]) -> None:
    """How many tokens the samples of a split have, in figures and as a histogram."""
    for name, key in (
        ("tokens", "tokens"),
        ("image tokens", "image_tokens"),
        ("supervised tokens", "supervised_tokens"),
    ):
        if figures := split[key]:
            middle = (
                f"{figures['min']:,} to {figures['max']:,}, median {figures['median']:,}, 95 % to {figures['p95']:,}"
            )
            add_row(table, "", f"{name}: {middle}; {figures['sum']:,} in all")
    most = max((count for _, _, count in split["lengths"]), default=0)
    for low, high, count in split["lengths"]:
        bar = "#" * -(-count * _BAR // most)
        add_row(table, "", f"{low:>8,} - {high:<8,} {bar:<{_BAR}} {count:,}")


def _add_places(table: Any, label: str, text: str, found: Mapping[str, Any]) -> None:
    """What was found, if anything, and where."""
    if not found["count"]:
        return
    add_row(table, label, text)
    for place in found["places"]:
        add_row(table, "", f"  {place}")
    if found["count"] > len(found["places"]):
        add_row(table, "", f"  and {found['count'] - len(found['places']):,} more")


def print_sample(sample: Mapping[str, Any]) -> None:
    """Print one sample as the model gets it."""
    console = Console(highlight=False)
    if "bad" in sample:
        detail = f": {sample['detail']}" if sample["detail"] else ""
        console.print(Text(sanitize(f"--- {sample['where']}: cannot be used, {sample['bad']}{detail}")), soft_wrap=True)
        return
    size = f"{sample['tokens']:,} tokens, {sample['supervised']:,} of them trained on"
    console.print(Text(sanitize(f"--- {sample['where']}: {size}"), style="bold"), soft_wrap=True)
    images = iter(sample["images"])
    line = Text()
    for segment in sample["segments"]:
        if segment["kind"] == "image":
            image = next(images)
            size = f"{image['width']}x{image['height']}"
            if image["resized"] != [image["width"], image["height"]]:
                size += " as {}x{}".format(*image["resized"])
            line.append(f"[image {size}, {segment['tokens']:,} tokens]", style="bold")
            if draws(console):
                console.print(line, soft_wrap=True)
                print_picture(image)
                line = Text()
        elif segment["kind"] == "supervised":
            line.append(f"[[{sanitize(segment['text'])}]]", style="reverse")
        else:
            line.append(sanitize(segment["text"]))
    console.print(line, soft_wrap=True)
    if sample["unused"]:
        console.print(Text(sanitize(f"not used: {', '.join(sample['unused'])}")), soft_wrap=True)
    console.print()
