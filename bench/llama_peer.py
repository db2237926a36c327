"""llama-cpp-python behind a pipe: one JSON request a line, one JSON answer a line. Times are seconds.

Arguments: GGUF file, threads, tokens of context. Both sides of the benchmark are given the same weights and the same rendered prompt.
Request: {prompt, maxTokens}; the likeliest token is always taken, and nothing of an earlier prompt is kept.
Answer: {promptTokens, promptSeconds, tokens, seconds}: seconds from the first token to the last.
"""

import json
import sys
import time

from llama_cpp import Llama

threads = int(sys.argv[2])
model = Llama(sys.argv[1], n_ctx=int(sys.argv[3]), n_threads=threads, n_threads_batch=threads, verbose=False)

print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    tokens = model.tokenize(request["prompt"].encode(), add_bos=False, special=True)
    model.reset()
    begun = time.perf_counter()
    first, count = begun, 0
    for token in model.generate(tokens, temp=0.0, reset=True):
        count += 1
        if count == 1:
            first = time.perf_counter()
        if count >= request["maxTokens"] or token == model.token_eos():
            break
    answer = {
        "promptTokens": len(tokens),
        "promptSeconds": first - begun,
        "tokens": count,
        "seconds": time.perf_counter() - first,
    }
    print(json.dumps(answer), flush=True)
