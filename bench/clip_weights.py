"""Random weights of a real CLIP architecture, for speed: no checkpoint can be told from another by its time.

    python clip_weights.py DIRECTORY [--patch 32]

Writes config.json and model.safetensors of ViT-B (OpenAI's sizes), biases and norms perturbed so that nothing is trivial, and a tokenizer
with OpenAI's number of tokens, which holds single bytes only: what a text says does not change what it costs.
"""

import argparse
import json
import pathlib

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

VOCABULARY = 49408


def byte_characters():
    """GPT-2's table (openai/gpt-2 encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(0x100 + place) for place in range(len(others))]


def write_tokenizer(directory):
    characters = byte_characters()
    tokens = characters + [f"{character}</w>" for character in characters]
    tokens += [f"<unused-{place}>" for place in range(VOCABULARY - len(tokens) - 2)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    (directory / "vocab.json").write_text(json.dumps(vocabulary))
    (directory / "merges.txt").write_text("#version: 0.2\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--patch", type=int, default=32)
    arguments = parser.parse_args()
    torch.manual_seed(7)
    config = CLIPConfig.from_text_vision_configs(CLIPTextConfig(), CLIPVisionConfig(patch_size=arguments.patch))
    model = CLIPModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.02)
            elif "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(arguments.directory)
    write_tokenizer(arguments.directory)


main()
