"""Presets: listed, compared, and changed: fields, the draft with its way back, saving, what survives a crash."""

from vlmft_console.presets.draft import Difference, Draft, open_preset
from vlmft_console.presets.fields import Field, fields, sections

__all__ = ["Difference", "Draft", "Field", "fields", "open_preset", "sections"]
