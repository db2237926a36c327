"""Writes test-models/fixtures/golden-words.json: when faster-whisper, beam 5, hears each word of the model tests' recordings.

pip install faster-whisper; python test-models/golden-words.py PERCEPT_HOME > test-models/fixtures/golden-words.json
PERCEPT_HOME holds whisper-base, whisper-tiny.en and the data set librivox: run the model tests once before.
"""
import json
import pathlib
import sys

from faster_whisper import WhisperModel

home = pathlib.Path(sys.argv[1])
golden = {}
for name in ("whisper-base", "whisper-tiny.en"):
    model = WhisperModel(str(home / "models" / name), device="cpu", compute_type="int8", cpu_threads=1)
    words = {}
    for recording in sorted((home / "datasets" / "librivox").glob("*.wav")):
        segments, _ = model.transcribe(str(recording), beam_size=5, word_timestamps=True)
        words[recording.name] = [
            [word.word, round(float(word.start), 2), round(float(word.end), 2)] for segment in segments for word in segment.words
        ]
    golden[f"{name}-int8"] = words
lines = ",\n".join(
    f" {json.dumps(model)}: {{\n"
    + ",\n".join(f"  {json.dumps(name)}: {json.dumps(words, ensure_ascii=False)}" for name, words in recordings.items())
    + "\n }"
    for model, recordings in golden.items()
)
print(f"{{\n{lines}\n}}")
