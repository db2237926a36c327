"""Writes test/fixtures/chunkformer/: a small random ChunkFormer checkpoint in its native form, and what the published package makes of it.

python3.11 -m venv venv && venv/bin/pip install chunkformer==1.2.2 torch==2.5.1 torchaudio==2.5.1 transformers==4.46.3 \
    'huggingface_hub<1' 'numpy<2.3'
venv/bin/python test-models/golden-chunkformer.py

The weights are random, so the texts mean nothing; they exercise every step. The signal is made of integers alone, so that the
tests make the same one (test/speech/chunkformer/signal.ts).
"""
import base64
import json
import os
import sys
import tempfile
import wave

import numpy as np
import torch
import yaml
from chunkformer import ChunkFormerModel

OUT = os.path.join(os.path.dirname(__file__), "..", "test", "fixtures", "chunkformer")
SYMBOLS = ["<blank>", "<unk>", "▁"] + [mark + letter for letter in "aeiomnt" for mark in ("▁", "")] + list("ghkluy") + ["ắ", "<sos/eos>"]
CONFIG = {
    "input_dim": 80,
    "output_dim": len(SYMBOLS),
    "encoder": "chunkformer",
    "encoder_conf": {
        "output_size": 24,
        "attention_heads": 3,
        "linear_units": 40,
        "num_blocks": 3,
        "cnn_module_kernel": 15,
        "cnn_module_norm": "layer_norm",
        "dynamic_conv": True,
        "input_layer": "dw_striding",
        "pos_enc_layer_type": "chunk_rel_pos",
        "selfattention_layer_type": "chunk_rel_seflattn",
        "activation_type": "swish",
        "normalize_before": True,
        "use_cnn_module": True,
        "dynamic_chunk_sizes": [-1, -1, 64, 128, 256],
    },
    "decoder": "transformer",
    "decoder_conf": {"attention_heads": 1, "linear_units": 4, "num_blocks": 1},
    "ctc": "ctc",
    "ctc_conf": {"ctc_blank_id": 0},
    "cmvn": "global_cmvn",
    "cmvn_conf": {"cmvn_file": "global_cmvn", "is_json_cmvn": True},
    "model": "asr_model",
    "model_conf": {"ctc_weight": 0.3},
    "fbank_conf": {"num_mel_bins": 80, "frame_shift": 10, "frame_length": 25, "dither": 1.0},
    "resample_conf": {"resample_rate": 16000},
}
# name, seconds, settings of endless_decode
RUNS = [
    ("one segment", 7.3, dict(chunk_size=64, left_context_size=128, right_context_size=128, total_batch_duration=14400)),
    ("seven segments", 9.0, dict(chunk_size=8, left_context_size=16, right_context_size=8, total_batch_duration=2.6)),
    ("a right context shorter than the convolution's", 6.0, dict(chunk_size=8, left_context_size=16, right_context_size=4, total_batch_duration=4)),
    ("no right context", 6.0, dict(chunk_size=16, left_context_size=32, right_context_size=0, total_batch_duration=8)),
    ("contexts that are no multiple of the chunk", 8.0, dict(chunk_size=8, left_context_size=13, right_context_size=11, total_batch_duration=4)),
    ("many chunks in one part", 26.0, dict(chunk_size=8, left_context_size=24, right_context_size=16, total_batch_duration=14400)),
    ("no left context", 5.0, dict(chunk_size=8, left_context_size=0, right_context_size=8, total_batch_duration=14400)),
]
BATCH = [("batch", [3.1, 0.9, 5.2, 0.3], dict(chunk_size=8, left_context_size=16, right_context_size=8, total_batch_duration=14400))]


def signal(seconds, seed):
    """Tones and noise in turn with pauses, by integers alone."""
    samples = np.zeros(int(seconds * 16000), dtype=np.int16)
    state, phase, step, level, noise = seed, 0, 500, 4, 8
    for index in range(len(samples)):
        state = (state * 25173 + 13849) % 65536
        if index % 1600 == 0:
            step = 300 + state % 4000
            level = (state >> 4) % 4
            # A pause of 0.8 s in every 2.4 s.
            if (index // 1600) % 24 >= 16:
                level = 0
            noise = 4 if level == 0 else 10 - (state >> 9) % 4
        phase = (phase + step) % 65536
        tone = (abs(phase - 32768) - 16384) * level // 4
        samples[index] = tone + ((state - 32768) >> (16 - noise))
    return samples


def write_wave(path, samples):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())


def base64_of(tensor):
    return base64.b64encode(np.ascontiguousarray(tensor, dtype="<f4").tobytes()).decode()


def make_checkpoint(directory):
    samples = signal(20, 7)
    write_wave(os.path.join(directory, "cmvn.wav"), samples)
    torch.manual_seed(20250607)
    plain = ChunkFormerModel({k: v for k, v in CONFIG.items() if not k.startswith("cmvn")})
    features, frames = plain._load_audio_and_extract_features(os.path.join(directory, "cmvn.wav"))
    features = features.double()
    stats = {"mean_stat": features.sum(0).tolist(), "var_stat": (features**2).sum(0).tolist(), "frame_num": frames}
    with open(os.path.join(OUT, "global_cmvn"), "w") as file:
        json.dump({k: [round(x, 4) for x in v] if isinstance(v, list) else v for k, v in stats.items()}, file)
    with open(os.path.join(OUT, "config.yaml"), "w") as file:
        yaml.safe_dump(CONFIG, file, sort_keys=False)
    with open(os.path.join(OUT, "vocab.txt"), "w", encoding="utf8") as file:
        file.writelines(f"{symbol} {index}\n" for index, symbol in enumerate(SYMBOLS))
    model = ChunkFormerModel({**CONFIG, "cmvn_file": os.path.join(OUT, "global_cmvn")})
    with torch.no_grad():
        for name, tensor in model.model.named_parameters():
            if tensor.dim() > 1:
                tensor.mul_(1.8)
            elif name.endswith("bias") or ".norm" in name:
                tensor.add_(0.2 * torch.randn_like(tensor))
        model.model.ctc.ctc_lo.weight.mul_(4)
        model.model.ctc.ctc_lo.bias[0] += 9
    # The attention decoder's table of positions is most of the file and is made anew by the package.
    state = model.model.state_dict()
    for name in [name for name in state if name.endswith(".pe")]:
        del state[name]
    torch.save(state, os.path.join(OUT, "pytorch_model.pt"))


def main():
    os.makedirs(OUT, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        make_checkpoint(directory)
        model = ChunkFormerModel.from_pretrained(OUT)
        seen = []
        log_softmax = model.model.ctc.log_softmax
        model.model.ctc.log_softmax = lambda x: seen.append(log_softmax(x)) or seen[-1]
        golden = {"vocabulary": len(SYMBOLS), "runs": [], "batches": []}
        path = os.path.join(directory, "signal.wav")
        for name, seconds, settings in RUNS:
            write_wave(path, signal(seconds, 1))
            seen.clear()
            items = model.endless_decode(path, return_timestamps=True, **settings)
            golden["runs"].append({"name": name, "seconds": seconds, "settings": settings, "items": items, "logProbs": base64_of(seen[0][0])})
            print(name, seen[0].shape, items, file=sys.stderr)
        for name, lengths, settings in BATCH:
            paths = []
            for index, seconds in enumerate(lengths):
                paths.append(os.path.join(directory, f"{index}.wav"))
                write_wave(paths[-1], signal(seconds, index + 1))
            texts = model.batch_decode(paths, **settings)
            golden["batches"].append({"name": name, "seconds": lengths, "settings": settings, "texts": texts})
            print(name, texts, file=sys.stderr)
        write_wave(path, signal(3, 1))
        features, frames = model._load_audio_and_extract_features(path)
        picked = [0, 1, 2, 50, 151, 200, 263, frames - 1]
        golden["fbank"] = {"seconds": 3, "frames": frames, "picked": picked, "values": base64_of(features[picked])}
    with open(os.path.join(OUT, "golden.json"), "w", encoding="utf8") as file:
        json.dump(golden, file, ensure_ascii=False, indent=1)


main()
