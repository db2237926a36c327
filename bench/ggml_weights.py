"""Writes a CTranslate2 Whisper checkpoint as a ggml file of whisper.cpp, matrices at q8_0: the peer runs on the very weights that we do.

The layout is that of whisper.cpp's own models/convert-pt-to-ggml.py followed by its quantize tool: convolutions stay at 16 bits, vectors
and positions at 32. Arguments: the checkpoint's directory, the file to write.
"""

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

MAGIC = 0x67676D6C
F32, F16, Q8_0 = 0, 1, 8
# GGML_FTYPE_MOSTLY_Q8_0, with GGML_QNT_VERSION in its thousands.
FTYPE = 2007
BLOCK = 32
HEAD_SIZE = 64
CT2_TYPES = [np.float32, np.int8, np.int16, np.int32, np.float16]


def write_ggml(model_directory, target):
    tensors = read_ctranslate2(Path(model_directory) / "model.bin")
    audio, text = layers(tensors, "encoder"), layers(tensors, "decoder")
    n_audio, width = tensors["encoder/position_encodings/encodings"].shape
    n_text = tensors["decoder/position_encodings/encodings"].shape[0]
    n_vocab = tensors["decoder/embeddings/weight"].shape[0]
    n_mels = tensors["encoder/conv1/weight"].shape[1]
    heads = width // HEAD_SIZE
    with open(target, "wb") as file:
        sizes = [n_vocab, n_audio, width, heads, audio, n_text, width, heads, text, n_mels, FTYPE]
        file.write(struct.pack("<12i", MAGIC, *sizes))
        filters = FeatureExtractor(feature_size=n_mels).mel_filters.astype(np.float32)
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        words = read_words(Path(model_directory))
        file.write(struct.pack("<i", len(words)))
        for word in words:
            file.write(struct.pack("<i", len(word)) + word)
        for name, values in renamed(tensors, audio, text):
            write_tensor(file, name, values)


def read_ctranslate2(path):
    """Name to array; int8 rows as float32. The layout stands in src/graphs/ctranslate2-weights.ts."""
    data = memoryview(path.read_bytes())
    at = 0

    def take(layout):
        nonlocal at
        values = struct.unpack_from("<" + layout, data, at)
        at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def string():
        nonlocal at
        length = take("H")
        at += length
        return bytes(data[at - length : at - 1]).decode()

    take("I"), string(), take("I")
    tensors = {}
    for _ in range(take("I")):
        name = string()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = CT2_TYPES[take("B")], take("I")
        tensors[name] = np.frombuffer(data[at : at + size], dtype=kind).reshape(shape)
        at += size
    for name, values in tensors.items():
        if name + "_scale" in tensors:
            tensors[name] = values.astype(np.float32) / tensors[name + "_scale"].reshape(-1, 1)
    return tensors


def layers(tensors, side):
    return len({match[1] for name in tensors if (match := re.match(rf"{side}/layer_(\d+)/", name))})


def read_words(directory):
    """The bytes of every token before the special ones, which whisper.cpp knows itself."""
    listed = directory / "vocabulary.json"
    words = json.loads(listed.read_text()) if listed.exists() else (directory / "vocabulary.txt").read_text().split("\n")
    to_byte = byte_of_character()
    return [bytes(to_byte[character] for character in word) for word in words[: words.index("<|endoftext|>")]]


def byte_of_character():
    """GPT-2 writes each byte as a printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


def renamed(tensors, audio, text):
    """Pairs of OpenAI's name and array, fused projections taken apart."""
    for side, count in (("encoder", audio), ("decoder", text)):
        yield f"{side}.positional_embedding", tensors[f"{side}/position_encodings/encodings"]
        final = "ln_post" if side == "encoder" else "ln"
        yield from norm(tensors, f"{side}/layer_norm", f"{side}.{final}")
        for index in range(count):
            ours, theirs = f"{side}/layer_{index}", f"{side}.blocks.{index}"
            yield from attention(tensors, f"{ours}/self_attention", f"{theirs}.attn")
            if side == "decoder":
                yield from attention(tensors, f"{ours}/attention", f"{theirs}.cross_attn")
            yield from norm(tensors, f"{ours}/ffn/layer_norm", f"{theirs}.mlp_ln")
            yield from linear(tensors, f"{ours}/ffn/linear_0", [f"{theirs}.mlp.0"])
            yield from linear(tensors, f"{ours}/ffn/linear_1", [f"{theirs}.mlp.2"])
    for conv in ("conv1", "conv2"):
        yield f"encoder.{conv}.weight", tensors[f"encoder/{conv}/weight"]
        yield f"encoder.{conv}.bias", tensors[f"encoder/{conv}/bias"].reshape(-1, 1)
    yield "decoder.token_embedding.weight", tensors["decoder/embeddings/weight"]


def attention(tensors, ours, theirs):
    yield from norm(tensors, f"{ours}/layer_norm", f"{theirs}_ln")
    if f"{ours}/linear_2/weight" in tensors:
        stages = [["query"], ["key", "value"], ["out"]]
    else:
        stages = [["query", "key", "value"], ["out"]]
    for index, names in enumerate(stages):
        yield from linear(tensors, f"{ours}/linear_{index}", [f"{theirs}.{name}" for name in names])


def norm(tensors, ours, theirs):
    yield f"{theirs}.weight", tensors[f"{ours}/gamma"]
    yield f"{theirs}.bias", tensors[f"{ours}/beta"]


def linear(tensors, ours, names):
    weights = np.split(tensors[f"{ours}/weight"], len(names))
    biases = np.split(tensors[f"{ours}/bias"], len(names))
    for name, weight, bias in zip(names, weights, biases):
        yield f"{name}.weight", weight
        # Keys have none in OpenAI's model; the fused one holds zeros there.
        if not name.endswith(".key"):
            yield f"{name}.bias", bias


def write_tensor(file, name, values):
    is_small = values.ndim < 2 or values.shape[1] == 1 or "positional_embedding" in name
    kind = F32 if is_small else F16 if values.ndim == 3 else Q8_0
    encoded = name.encode()
    file.write(struct.pack("<3i", values.ndim, len(encoded), kind))
    file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)) + encoded)
    if kind == Q8_0:
        file.write(quantised(values))
    else:
        file.write(values.astype(np.float32 if kind == F32 else np.float16).tobytes())


def quantised(values):
    """Blocks of { f16 scale, int8[32] }, as quantize_row_q8_0_ref rounds them."""
    rows = values.astype(np.float32).reshape(-1, BLOCK)
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    factors = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    scaled = rows * factors
    blocks = np.empty(len(rows), dtype=[("scale", "<f2"), ("values", "i1", BLOCK)])
    blocks["scale"] = scales[:, 0]
    # Halves away from zero, as C's roundf.
    blocks["values"] = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return blocks.tobytes()


if __name__ == "__main__":
    write_ggml(sys.argv[1], sys.argv[2])
