"""faster-whisper behind a pipe: one JSON request a line {path, beamSize}, one JSON answer a line {seconds, text}.

Arguments: model directory, compute type, threads. Both sides of the benchmark are given the same weights.
"""

import json
import sys
import time

from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type=sys.argv[2], cpu_threads=int(sys.argv[3]))
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    started = time.perf_counter()
    segments, _ = model.transcribe(request["path"], beam_size=request["beamSize"])
    text = "".join(segment.text for segment in segments)
    print(json.dumps({"seconds": time.perf_counter() - started, "text": text}), flush=True)
