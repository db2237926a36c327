"""Random weights of a real CLIP architecture, for speed: no checkpoint can be told from another by its time.

    python clip_weights.py DIRECTORY [--architecture b-32|b-16|l-14]

Writes config.json and model.safetensors (OpenAI's sizes), biases and norms perturbed so that nothing is trivial, and a tokenizer
with OpenAI's number of tokens, which holds single bytes only: what a text says does not change what it costs.
"""

import argparse
import json
import pathlib

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

VOCABULARY = 49408
LARGE_VISION = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "projection_dim": 768}
LARGE_TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "projection_dim": 768}
ARCHITECTURES = {
    "b-32": (CLIPVisionConfig(patch_size=32), CLIPTextConfig(), 512),
    "b-16": (CLIPVisionConfig(patch_size=16), CLIPTextConfig(), 512),
    "l-14": (CLIPVisionConfig(patch_size=14, **LARGE_VISION), CLIPTextConfig(**LARGE_TEXT), 768),
}


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
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="b-32")
    arguments = parser.parse_args()
    torch.manual_seed(7)
    vision, text, dimension = ARCHITECTURES[arguments.architecture]
    model = CLIPModel(CLIPConfig.from_text_vision_configs(text, vision, projection_dim=dimension)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.02)
            elif "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(arguments.directory)
    write_tokenizer(arguments.directory)


main()
