"""whisper.cpp behind a pipe: one JSON request a line, one JSON answer a line. Times are seconds.

Arguments: file of ggml_weights.py, threads. Request: {path, beamSize}; a beam size of 1 is greedy, with whisper.cpp's own best of five
where it has to sample. It is told that the language is English: finding out would cost it a second run of its encoder. It searches for no
speech, and no window is told the text before it.
Answer: {seconds, firstSeconds, text, peakBytes}.
"""

import json
import os
import resource
import sys
import sysconfig
import time

# Built here rather than taken as a wheel, the package looks for its libraries where they were built, and the loader reads this only at a start.
LIBRARIES = sysconfig.get_path("platlib")
if os.environ.get("LD_LIBRARY_PATH") != LIBRARIES:
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "LD_LIBRARY_PATH": LIBRARIES})

import _pywhispercpp
from pywhispercpp.model import Model

GREEDY, BEAM_SEARCH = (
    _pywhispercpp.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY,
    _pywhispercpp.whisper_sampling_strategy.WHISPER_SAMPLING_BEAM_SEARCH,
)
model = Model(
    sys.argv[1],
    n_threads=int(sys.argv[2]),
    language="en",
    # Between its windows; no_context is about the calls before.
    n_max_text_ctx=0,
    no_context=True,
    print_progress=False,
    redirect_whispercpp_logs_to=None,
    greedy={"best_of": 5},
)


def transcribe(request, on_segment):
    beam_size = request["beamSize"]
    strategy = GREEDY if beam_size == 1 else BEAM_SEARCH
    search = {"beam_size": beam_size, "patience": -1.0}
    return model.transcribe(
        request["path"], new_segment_callback=on_segment, strategy=strategy, beam_search=search
    )


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    arrivals = []
    segments = transcribe(json.loads(line), lambda _: arrivals.append(time.perf_counter() - started))
    seconds = time.perf_counter() - started
    answer = {
        "seconds": seconds,
        "firstSeconds": arrivals[0] if arrivals else seconds,
        "text": " ".join(segment.text for segment in segments),
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(answer), flush=True)
