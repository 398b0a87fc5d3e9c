"""Prompts as the model reads them: tokens, windows, and what lies beyond the first window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenReport:
    """How many tokens a prompt has, how many fit into one window, and the text beyond the first one."""

    count: int
    window: int
    beyond: str


def count_tokens(tokenizer: Any, prompt: str) -> TokenReport:
    """Tokens of a prompt without start and end marks."""
    window = tokenizer.model_max_length - 2
    ids = token_ids(tokenizer, prompt)
    return TokenReport(len(ids), window, tokenizer.decode(ids[window:]).strip() if len(ids) > window else "")


def token_ids(tokenizer: Any, prompt: str) -> list[int]:
    return list(tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def encode(text_encoder: Any, tokenizer: Any, prompts: list[str], clip_skip: int = 1, chunks: int = 1) -> Any:
    """Embeddings of prompts, each padded to `chunks` windows: a tensor [prompts, 77 * chunks, dim]."""
    import torch

    window = tokenizer.model_max_length - 2
    rows: list[list[int]] = []
    for prompt in prompts:
        ids = token_ids(tokenizer, prompt)
        for start in range(0, chunks * window, window):
            part = ids[start : start + window]
            padding = [tokenizer.pad_token_id] * (window - len(part))
            rows.append([tokenizer.bos_token_id, *part, tokenizer.eos_token_id, *padding])
    ids_tensor = torch.tensor(rows, device=text_encoder.device)
    with torch.inference_mode():
        output = text_encoder(ids_tensor, output_hidden_states=clip_skip > 1)
        hidden = output.last_hidden_state
        if clip_skip > 1:
            hidden = output.hidden_states[-clip_skip]
            hidden = text_encoder.final_layer_norm(hidden)
    return hidden.reshape(len(prompts), -1, hidden.shape[-1])
