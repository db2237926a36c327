"""transformers' CLIP on CPU torch behind a pipe: one JSON request a line, one JSON answer a line. Times are seconds.

Arguments: directory of a checkpoint, threads. float32, eager, scaled dot product attention, inference mode.
Request: {kind: "image" | "text", batch, length?}: so many pictures of noise, or texts of so many tokens, both made before the time is taken.
Answer: {seconds}.
"""

import json
import sys
import time

import torch
from transformers import CLIPModel

torch.set_num_threads(int(sys.argv[2]))
model = CLIPModel.from_pretrained(sys.argv[1], attn_implementation="sdpa").eval()
size = model.config.vision_config.image_size
END = model.config.text_config.vocab_size - 1
# As on the other side.
USED_TOKENS = 2000


def inputs(request):
    if request["kind"] == "image":
        return {"pixel_values": torch.randn(request["batch"], 3, size, size)}
    ids = torch.randint(0, USED_TOKENS, (request["batch"], request["length"]))
    ids[:, -1] = END
    return {"input_ids": ids}


print(json.dumps({"ready": True}), flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        request = json.loads(line)
        run = model.get_image_features if request["kind"] == "image" else model.get_text_features
        given = inputs(request)
        begun = time.perf_counter()
        features = run(**given)
        features / features.norm(dim=-1, keepdim=True)
        print(json.dumps({"seconds": time.perf_counter() - begun}), flush=True)
