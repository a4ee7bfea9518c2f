"""Commands of `vlmft`; `vlmft_console.cli` imports each when it is called."""
