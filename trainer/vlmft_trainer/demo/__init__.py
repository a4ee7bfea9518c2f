"""The demo: a small Qwen2.5-VL that can read charts, and data to fine-tune it with. Nothing here needs a GPU."""
