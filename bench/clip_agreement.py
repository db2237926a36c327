"""How far Percept's embeddings and scores are from transformers', over whole files and texts, through the HTTP routes.

    python test-models/golden-images.py --many FOLDER      # 194 pictures of seventeen kinds
    python bench/clip_agreement.py --server URL --model NAME --weights DIRECTORY --pictures FOLDER --texts test/fixtures/clip/tokenizer/golden.json

WEIGHTS is the checkpoint that was imported as NAME, with OpenAI's tokenizer beside it. Pictures are opened by Pillow, turned by EXIF and
prepared by CLIPImageProcessor; what is left is float32 torch. Prints the least and mean cosines, and the largest differences of logits and
scores over the first 50 texts, by the kind of file.
"""

import argparse
import base64
import json
import pathlib
import urllib.request
import warnings

import numpy
import torch
from PIL import Image, ImageOps
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

LABELS = 50
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore")


def post(arguments, path, body):
    data = json.dumps({"model": arguments.model, **body}).encode()
    request = urllib.request.Request(arguments.server + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def reference_image(model, processor, path):
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    pixels = processor(numpy.asarray(picture), input_data_format="channels_last", return_tensors="pt").pixel_values
    return unit(model.get_image_features(pixel_values=pixels))


def unit(rows):
    return (rows / rows.norm(dim=-1, keepdim=True)).numpy().astype(numpy.float64)


def report(name, rows):
    """Rows of (cosine, difference of logits, difference of scores)."""
    cosines, logits, scores = zip(*rows)
    print(f"| {name} | {len(rows)} | {min(cosines):.7f} | {numpy.mean(cosines):.7f} | {max(logits):.1g} | {max(scores):.1g} |")


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "model", "weights", "pictures", "texts"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    model = CLIPModel.from_pretrained(arguments.weights).eval()
    processor = CLIPImageProcessor()
    tokenizer = CLIPTokenizerFast.from_pretrained(arguments.weights)
    golden = json.loads(pathlib.Path(arguments.texts).read_text())
    texts = [text for text, _ in golden["texts"] if len(tokenizer(text).input_ids) <= golden["contextLength"]]

    theirs = numpy.concatenate([unit(model.get_text_features(**tokenizer(text, return_tensors="pt"))) for text in texts])
    ours = numpy.array(post(arguments, "/v1/embed/text", {"texts": texts})["embeddings"])
    print("| | | least cosine | mean | logits differ by | scores by |\n|---|---|---|---|---|---|")
    report("texts", [(cosine, 0, 0) for cosine in (theirs * ours).sum(axis=1)])

    kinds = {}
    scale = model.logit_scale.exp().item()
    labels, first = texts[:LABELS], theirs[:LABELS]
    for entry in json.loads((pathlib.Path(arguments.pictures) / "index.json").read_text()):
        path = pathlib.Path(arguments.pictures) / entry["file"]
        expected = reference_image(model, processor, path)[0]
        image = base64.b64encode(path.read_bytes()).decode()
        found = numpy.array(post(arguments, "/v1/embed/image", {"image": image})["embeddings"][0])
        wanted = scale * first @ expected
        logits = abs(wanted - scale * ours[:LABELS] @ found).max()
        softmax = numpy.exp(wanted - wanted.max()) / numpy.exp(wanted - wanted.max()).sum()
        ranked = post(arguments, "/v1/classify", {"image": image, "prompts": labels})["classifications"]
        given = {one["text"]: one["score"] for one in ranked}
        scores = max(abs(given[label] - score) for label, score in zip(labels, softmax))
        kinds.setdefault(entry["kind"], []).append((expected @ found, logits, scores))
    for kind, rows in kinds.items():
        report(kind, rows)
    print(f"\nlogit_scale {scale:.1f}")


main()
