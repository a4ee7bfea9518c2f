from __future__ import annotations

import time

import pytest

from vlmft_console.sanitize import redact, redacted, sanitize

TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"401 for token {TOKEN}.", "401 for token [redacted]."),
        (f'{{"hub_token": "{TOKEN}"}}', '{"hub_token": "[redacted]"}'),
        ("WANDB_API_KEY=0123abcd LR=1", "WANDB_API_KEY=[redacted] LR=1"),
        ("export GITHUB_TOKEN='a b c' X=1", "export GITHUB_TOKEN='[redacted]' X=1"),
        ("environ({'AWS_SECRET_ACCESS_KEY': 'a/b+c', 'HOME': '/root'})",
         "environ({'AWS_SECRET_ACCESS_KEY': '[redacted]', 'HOME': '/root'})"),
        ("CLIENT_SECRET=x", "CLIENT_SECRET=[redacted]"),
        ("PGPASSWORD=a,b;c", "PGPASSWORD=[redacted]"),
        ("connect(password='torn", "connect(password='[redacted]"),
        ("connect(api_key = abc)", "connect(api_key = [redacted]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "{'authorization': 'Basic [redacted]'}"),
        ("vault kv put kv/password=abc", "vault kv put kv/password=[redacted]"),
        ("sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "sent Bearer [redacted]"),
        ("GET https://user:pass@host/x?y=1", "GET https://[redacted]@host/x?y=1"),
        ("proxy http://token@proxy:3128", "proxy http://[redacted]@proxy:3128"),
    ],
)  # fmt: skip
def test_a_secret_is_hidden_and_its_name_stays(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown
    assert sanitize(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "{'loss': 1.25, 'learning_rate': 4e-05, 'epoch': 0.1}",
        "token_accuracy=0.5 tokens_per_s=1234.5",
        '"supervised_tokens": 5, "mean_token_accuracy": 0.5',
        "key=value pad_token=<pad> eos_token: <|im_end|> pad_token_id=0 max_new_tokens=16",
        "MAX_TOKENS=512 OMP_NUM_THREADS=2 TOKENIZERS_PARALLELISM=false",
        "hf_hub_download and hf_transfer from https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct",
        "authorization failed; the bearer of news; Bearer token is missing",
        "pip install git+https://github.com/huggingface/trl@v0.20.0 by someone@example.org",
        "monkey=1 keyword: x",
        "/etc/passwd: not a preset",
        "localhost/etc/passwd: no such file; /run/secrets/api_key: closed to us",
    ],
)
def test_ordinary_lines_are_untouched(text: str) -> None:
    assert redact(text) == text


def test_every_text_of_a_record_is_redacted() -> None:
    record = {"event": "note", "step": 1, "message": f"with {TOKEN}", "parts": [{"reason": "A_KEY=b"}, None, 0.5]}
    assert redacted(record) == {
        "event": "note",
        "step": 1,
        "message": "with [redacted]",
        "parts": [{"reason": "A_KEY=[redacted]"}, None, 0.5],
    }


@pytest.mark.parametrize("piece", ["A", "_", "0", "TOKEN", "://", "a@", "authorization:", "Bearer ", "hf_", "'"])
def test_a_long_line_takes_no_longer_than_it_is_long(piece: str) -> None:
    began = time.process_time()
    redact(piece * (200_000 // len(piece)))
    assert time.process_time() - began < 1.0
