"""Demo data: charts, signs and questions about them, to fine-tune the demo's small Qwen2.5-VL with, without a GPU."""
