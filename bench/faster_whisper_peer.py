"""faster-whisper behind a pipe: one JSON request a line, one JSON answer a line. Times are seconds.

Arguments: model directory, compute type, threads. Both sides of the benchmark are given the same weights.
Request: {path, beamSize, batchSize, isLong}; a batch size of 0 is the sequential pipeline, the library's default. A long recording is
searched for speech first, as Percept does, and no window is told the text before it: the long recording of this benchmark says the same
sentences again and again, which would otherwise lead this model astray.
Answer: {seconds, firstSeconds, text, peakBytes}.
"""

import json
import resource
import sys
import time

from faster_whisper import BatchedInferencePipeline, WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type=sys.argv[2], cpu_threads=int(sys.argv[3]))
batched = BatchedInferencePipeline(model)


def transcribe(request):
    if request["batchSize"] > 0:
        return batched.transcribe(request["path"], beam_size=request["beamSize"], batch_size=request["batchSize"])
    return model.transcribe(
        request["path"],
        beam_size=request["beamSize"],
        vad_filter=request["isLong"],
        condition_on_previous_text=not request["isLong"],
    )


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    segments, _ = transcribe(json.loads(line))
    first, texts = None, []
    for segment in segments:
        first = first or time.perf_counter() - started
        texts.append(segment.text)
    seconds = time.perf_counter() - started
    answer = {
        "seconds": seconds,
        "firstSeconds": first or seconds,
        "text": " ".join(texts),
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(answer), flush=True)
