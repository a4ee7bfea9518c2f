"""Announcements: what a program says of its training in words, and not in figures."""

from __future__ import annotations

import re

OVER = re.compile(
    rb"(?:^|[-|\]>:] +)\W*(?:(?:training|fine-?tuning)[ :]+(?:is |has |was )?"
    rb"(?:complete|completed|finished|done|ended|over)\b(?!.*\d ?%)"
    rb"|(?:finished|completed|done|end of) (?:training|fine-?tuning)\b(?! (?:epoch|step|batch|phase))"
    rb"|saved final weights to |(?:total )?training (?:time|took)[ :])|^`Trainer\.fit` stopped: ",
    re.IGNORECASE,
)
"""That its training has ended."""
BROKE = re.compile(
    r"(?:[\w.]{0,60}(?:Error|Exception): )?(?:loss (?:is|became) (?:nan|inf(?:inite)?)\b"
    r"|model diverged with loss = nan\b|nan loss (?:during|encountered|detected)\b"
    r"|batch \d{1,9}: invalid loss, terminating\b)(?!.*\b(?:skip|ignor)|[ :=?]*(?:false|no|none|never|off|0)\b)"
    r"(?:.* at (?:iteration|step)[= ](\d{1,12}))?",
    re.IGNORECASE,
)
"""That it stops for a loss that is no number, which often no line of figures tells; and the step, if it names that."""
