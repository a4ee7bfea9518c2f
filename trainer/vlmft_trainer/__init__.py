"""The training half of vlmft: presets, the plan, the event log and the training program.

`preset`, `plan`, `events`, `metrics`, `errors` and `architecture` load no torch; the console imports only those.
"""
