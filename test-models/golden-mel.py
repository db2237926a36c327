"""Writes test/fixtures/mel.json: log-mel values of a fixed signal by faster-whisper's front end (OpenAI's formula).

pip install faster-whisper; python test-models/golden-mel.py > test/fixtures/mel.json
"""
import json

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

n = np.arange(3 * 16000)
signal = (0.5 * np.sin(2 * np.pi * (200 + n / 20) * n / 16000) + 0.1 * np.sin(2 * np.pi * 5000 * n / 16000)).astype(np.float32)
golden = {}
for bins in (80, 128):
    # 30 s of zeros behind, as OpenAI pads; the first 3 s and some of the silence are kept.
    mel = FeatureExtractor(feature_size=bins)(np.pad(signal, (0, 30 * 16000)), padding=0)
    mel = mel[:, :3000]
    points = [(b, f) for b in range(0, bins, 7) for f in (0, 1, 2, 3, 57, 150, 299, 300, 301, 400)]
    golden[bins] = [[b, f, float(mel[b, f])] for b, f in points]
print(json.dumps(golden))
