"""Writes test-models/fixtures/golden-texts.json: what faster-whisper, beam 5, hears in the recordings of the model tests.

pip install faster-whisper; python test-models/golden-texts.py PERCEPT_HOME [WAV ...] > test-models/fixtures/golden-texts.json
PERCEPT_HOME holds whisper-base, whisper-tiny.en and the data set librivox: run the model tests once before.
"""
import json
import pathlib
import sys

from faster_whisper import WhisperModel

home = pathlib.Path(sys.argv[1])
recordings = sorted((home / "datasets" / "librivox").glob("*.wav")) + [pathlib.Path(name) for name in sys.argv[2:]]
golden = {}
for name, compute_type in (
    ("whisper-base", "int8"),
    ("whisper-base", "float32"),
    ("whisper-tiny.en", "int8"),
):
    model = WhisperModel(str(home / "models" / name), device="cpu", compute_type=compute_type, cpu_threads=1)
    texts = {}
    for recording in recordings:
        segments, _ = model.transcribe(str(recording), beam_size=5)
        texts[recording.name] = "".join(segment.text for segment in segments).strip()
    golden[f"{name}-{compute_type}"] = texts
print(json.dumps(golden, indent=2, ensure_ascii=False))
