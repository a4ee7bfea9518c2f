"""Line spelling: the lines of a log as the readers of lines expect them, whatever their program's or country's ways."""

from __future__ import annotations

import re
from typing import Final

from vlmft_console.history.importers.entries.languages import in_english

LONGEST: Final = 4000
"""Characters of a line that are looked at."""

_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f]")
"""Terminal sequences and control characters."""
_CLOCK: Final = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_NO_PROCESS: Final = "epoch|step|iter|iteration|batch|val|valid|eval|test"
STAMP: Final = (
    rf"^\s*(?:[\[(]?(?:\d{{4}}[-/]\d\d[-/]\d\d[T ]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)?|\d\d/\d\d/\d{{4}} {_CLOCK}"
    rf"|[A-Z][a-z]{{2}} [ \d]\d {_CLOCK}|{_CLOCK})[\])]?:?(?:\s+(?:[|-]\s+|std(?:out|err) [FP] "
    rf"|[\w.-]{{1,60}} (?!\w*(?i:{_NO_PROCESS})\[)[\w./-]{{1,40}}\[\d{{1,9}}\]:\s+)?|(?=\[))"
    rf"|[IWEF]\d{{4}} {_CLOCK}\s+\d+ [\w./-]+:\d+\]\s+)(?=\S)"
)
"""When a line was written, at its beginning."""
_STAMP = re.compile(STAMP)
_LEVEL = re.compile(
    r"^\s*(?:\[(?!val|eval|test|dev)[\w.]{1,40}\])?[\[<(]?(?:INFO|DEBUG)[\])>]?\s*[-|:]?\s+"
    r"(?:(?!(?i:val|eval|test|dev))(?:[\w.]{1,40} [-|]|[\w./-]{1,60}\.py:\d+:?) )?(?=\S)"
    r"|^\s*\[[\w./-]{1,60}\.py:\d+\]\s+(?=\S)|^(?:INFO|DEBUG):(?!(?i:val|eval|test|dev))[\w.]{1,40}:(?=[^\s\d.-])"
)
"""What a logger says of itself after that: `[train][INFO] - `, `INFO - train - `, `[train.py:88] `, `INFO:root:`."""
_WRAPPED = re.compile(
    r"(?:tensor|(?:np|numpy|jnp|torch)\.\w+|(?:Device)?Array)\(\[?([^,()\]\s]{1,40}),?[^()\n]{0,80}\)"
)
"""A number as a library's type prints itself: `tensor(2.5, device='cuda:0')`, `np.float64(2.5)`."""
_WRAPPERS: Final = ("tensor(", "np.", "numpy.", "torch.", "Array(")
_ITEM = re.compile(r"""\(\s*(?=['"])((['"])[^'"(),]{1,80}\2)\s*,\s*([^(),'"]{1,40})\)""")
"""An item of an `OrderedDict([('loss', 2.5), ('epoch', 1)])`, or of any list of pairs."""
_INSTANCE = re.compile(
    r"(?<![=.\w] )\b(?:[A-Z]\w{0,60}(?<!Namespace)(?<!Config)(?<!Args)(?<!Arguments)(?<!Params)|namespace)"
    r"\(((?:\w{1,60}=[-+\w.]{1,40}(?:, |(?=\)))){2,60})\)\s*$"
)
"""An object that prints itself, as dataclasses and named tuples do: `Metrics(step=10, loss=2.5)`."""
_DIALECTS: Final = (
    (re.compile(r"^s:(\d+) trl:"), r"step:\1 train_loss:"),
    (re.compile(r"^s:(\d+) tel:"), r"step:\1 val_loss:"),
    (re.compile(r"^(\d+):? (train|val) (?=[\d.]+$)"), r"step:\1 \2_loss:"),
    (re.compile(r"^ ?(\d+): (\S+), \S+ avg loss, (\S+) rate,"), r"step:\1 loss:\2 lr:\3 ,"),
    (
        re.compile(
            r"^(\d+): (?=(?:(?:train(?:ing)?|val|valid(?:ation)?|eval|test)[ _])?loss\b)(?!.*\b(?:step|iter|epoch)\b)",
            re.IGNORECASE,
        ),
        r"step:\1 ",
    ),
)
"""Names too short to be known everywhere, of llm.c's and nanoGPT's own logs; Darknet's order; and `10: loss 2.5`."""
_STEP_AND_TIME = re.compile(r"^\[(\d+) \| \d+\.\d+\] ")
"""gpt-2-simple: `[10 | 23.45] loss=2.50 avg=2.60`."""
_BOOSTED = re.compile(r"^\[(\d+)\]\s+(?=[\w.]+(?:-\w+:|'s \w+: )[\d.])")
"""A round of XGBoost: `[10]\ttrain-rmse:0.35\teval-rmse:0.41`; of LightGBM: `[10]\ttraining's l2: 0.35`."""
_BOOSTED_LOSS = re.compile(
    r"\bd?(?:(train(?:ing)?|validation_0(?=.*validation_1-))|(?:eval|valid|validation|val|test)(?:_\d)?)(?:-|'s )"
    r"(?:rmse|rmsle|mae|mape|l1|l2|\w*logloss|\w?error|cross_entropy|quantile):\s?([\d.eE+-]{1,24})"
)
_MXNET = re.compile(r"^(Epoch ?\[\d+\] Batch \[)\d+-(?=\d+\])")
"""MXNet's batches since the line before: `Epoch[0] Batch [20-40]`."""
_WENET = re.compile(r"\bTRAIN Batch (\d+)/(\d+) (?=loss )")
"""WeNet names an epoch and a batch: the second is no total."""
_WENET_EVAL = re.compile(r"\bCV (?:Batch \d+/\d+ loss .*|info (?=cv_loss ))")
"""The batches of an eval, of which the mean follows, and what stands before that."""
_LOSS_AT = re.compile(
    r"\b((?:[A-Za-z]+[ _-]){0,2}loss) (?:at|after|@) (step|iteration|iter|epoch) (\d+)\s*[:=]\s*(?=[-+.\d])([^\s,;]+)",
    re.IGNORECASE,
)
"""`dev loss at step 10: 2.5`."""
_LOSS_THEN = re.compile(r"oss (\d{1,12})(?::\s*|\s+)(?=[-+]?\d*\.\d)")
"""Tacotron's step between a loss's name and its value: `Train loss 10 2.5`."""
_THOUSANDS = re.compile(r"\b((?:global_)?step|iter(?:ation)?)([ :=]+)(\d{1,6}(?:\.\d{1,6})?)k\b", re.IGNORECASE)
"""`step 1.5k`, where the line has no other place."""
_PLACES = re.compile(r"\b(?:\w+_)?(?:steps?|iter(?:s|ation|ations)?)[ :=]+\d", re.IGNORECASE)
_PLACED = re.compile(r"step|iter|epoch|batch", re.IGNORECASE)
_NUMBER_SIGN = re.compile(r"\b(step|iter(?:ation)?|batch) ?#(?=\d)", re.IGNORECASE)
_COMMA = re.compile(r",\d")
_LOSS_WITH_COMMA = re.compile(
    r"loss['\"]?\W{1,4}[-+]?(?:(0,\d+|\d{1,9},(?:\d\d?|\d{4,}))|\d{1,2},\d{3})(?!\d|[.,]\d)", re.IGNORECASE
)
"""A loss that half of the world writes with a comma. One such as `2,125` might be one of thousands, too."""
_POINT = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
_DECIMALS = re.compile(r"(?<![\w.,])(?!\d+,\d+\]<std)(\d{1,15}),(\d{1,20})(?!\d|[.,]\d)")
_COLLECTION = re.compile(r"\bcollection=(?:(train\w*(?!\S))|(?=\S*(?:eval|valid|test))\S+)")
"""What a line of CLU's tells figures of: `collection=train`, `collection=training_eval/c4`."""
_NAN_ITERATIONS = re.compile(
    r"\bnumber of nan iterations:\s+[1-9]|\bgrad norm: nan\b.*\bnumber of skipped iterations:\s+0 "
)
"""Megatron leaves a loss out that is no number; that of steps which were only skipped is left out, too."""
_NOT_FINITE = re.compile(r"1\.#(INF|IND|QNAN|SNAN)\d*")
"""How programs of Windows spell what is no number."""


def clean(line: str) -> str:
    """A line without colours and control characters, spelled as the others are."""
    text = line[:LONGEST]
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    return spelled(in_english(text.lstrip()))


def spelled(text: str) -> str:
    """A line in plain English as most programs write it, without the time and what a logger says of itself."""
    rest = _STAMP.sub("", text, count=1)
    if rest is not text:
        rest = _STAMP.sub("", rest, count=1)  # after a container's time, the program's own
    text = rest
    if "INFO" in text or ".py:" in text or "DEBUG" in text:
        text = _LEVEL.sub("", text, count=1)
    if "," in text and ("oss" in text or "OSS" in text) and _COMMA.search(text):
        text = _with_points(text)
    if text[:2] == "s:" or text[:2].lstrip()[:1].isdigit():
        for pattern, usual in _DIALECTS:
            text = pattern.sub(usual, text)
    if text[:1] == "[":
        text = _STEP_AND_TIME.sub(r"step:\1 ", text)
        if _BOOSTED.match(text):
            text = _BOOSTED_LOSS.sub(_with_loss, _BOOSTED.sub(r"step:\1 ", text))
    if "oss " in text or "OSS " in text:
        text = _with_step_first(text)
    if ("k " in text or "k," in text) and len(_PLACES.findall(text)) == 1:
        text = _THOUSANDS.sub(lambda found: f"{found[1]}{found[2]}{round(float(found[3]) * 1000)}", text)
    if "#" in text:
        text = _NUMBER_SIGN.sub(r"\1 ", text)
    if text[:4] == "Ep. ":  # Marian calls its loss a cost
        text = text.replace(" : Cost ", " : train_cost ")
    if "... (" in text:  # Flax: `Step... (10 | Loss: 2.5`
        text = text.replace("... (", " (")
    if "collection=" in text:
        text = _COLLECTION.sub(lambda found: "train:" if found[1] else "eval:", text, count=1)
    if "nan iterations:" in text and "loss:" not in text and _NAN_ITERATIONS.search(text):
        text += " lm loss: nan |"
    if "Batch [" in text:
        text = _MXNET.sub(r"\1", text)
    if "1.#" in text:
        text = _NOT_FINITE.sub(lambda found: "inf" if found[1] == "INF" else "nan", text)
    return _without_types(text) if "(" in text or "{" in text else text


def _with_points(text: str) -> str:
    """A line whose loss has a decimal comma, with points instead of all of those."""
    found = _LOSS_WITH_COMMA.search(text)
    if found and (found[1] or not _POINT.search(text)):
        return _DECIMALS.sub(r"\1.\2", text)
    return text


def _with_loss(found: re.Match[str]) -> str:
    """A figure that gradient boosting lowers, and once more as the loss that it is."""
    return f"{found[0]} {'train' if found[1] else 'eval'}_loss:{found[2]}"


def _with_step_first(text: str) -> str:
    """A line with a step within what it says of a loss."""
    if "oss a" in text or "oss @" in text or "OSS A" in text:
        text = _LOSS_AT.sub(r"\2 \3 \1: \4", text)
    if "TRAIN B" in text or "CV " in text:
        text = _WENET_EVAL.sub("", _WENET.sub(r"TRAIN epoch \1 batch \2 ", text))
    found = _LOSS_THEN.search(text)
    if found and text.lower().count("loss") == 1 and not _PLACED.search(text):
        return f"step {found[1]} {text[: found.start(1)]}{text[found.end() :]}"
    return text


def _without_types(text: str) -> str:
    """A line without the names of types around its numbers, and around what holds them."""
    if any(kind in text for kind in _WRAPPERS):
        text = _WRAPPED.sub(r"\1", text)
    if "('" in text or '("' in text:
        text = _ITEM.sub(r"\1: \3", text)
    if text.rstrip().endswith(")") and (found := _INSTANCE.search(text)):
        return text[: found.start()] + found[1]
    bar, glued, printed = text.partition("]{")
    return "{" + printed if glued and "%|" in bar else text  # a dict after a bar, which may be an older one
