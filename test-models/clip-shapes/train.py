"""Trains clip-shapes from nothing on drawings that it makes itself; about 20 minutes on one core.

    python train.py --out FOLDER [--steps 3200] [--pictures 40000] [--processes 2] [--groups 2]

Each step pairs 128 drawings with 128 captions; some come in eights of one colour and shape, so that only the count or the place tells
them apart. What else is true in the batch (the same thing said otherwise) is left out of the loss, and 13 of the 90 combinations are
never drawn (draw.never_trained). FOLDER gets the float32 weights, the tokenizer and training.json.
"""
import argparse
import json
import math
import os
import sys
import time
from multiprocessing import Pool
from random import Random

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from captions import TEMPLATES, caption, claims, prompt, truths
from draw import COLOURS, COUNTS, POSITIONS, SHAPES, Scene, example, never_trained, placed_scenes, scenes

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from clip_vocabulary import make_tokenizer, save_tokenizer, train_merges  # noqa: E402

SIDE, CONTEXT, BATCH, GROUP, MERGES = 64, 24, 128, 8, 160
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
SIZES = [64, 64, 80, 96, 128, 160, 192, 224, 320]
WARM_UP, DECAY, SEED = 100, 0.05, 20251
OTHER_SIDE = {"left": "right", "right": "left"}


def new_model(tokenizer):
    end = tokenizer.eos_token_id
    config = CLIPConfig(
        text_config=dict(vocab_size=end + 1, hidden_size=128, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
                         max_position_embeddings=CONTEXT, bos_token_id=end - 1, eos_token_id=end, pad_token_id=end,
                         hidden_act="quick_gelu"),
        vision_config=dict(hidden_size=128, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, image_size=SIDE,
                           patch_size=16, hidden_act="quick_gelu"),
        projection_dim=64,
    )  # fmt: skip
    model = CLIPModel(config)
    # As strong as the patches from the beginning; the library's 0.02 is next to nothing beside them.
    torch.nn.init.normal_(model.vision_model.embeddings.position_embedding.weight, std=0.5)
    return model


def new_tokenizer():
    random = Random(SEED)
    shown = [scene for scene in scenes() + placed_scenes() if not never_trained(scene)]
    return make_tokenizer(train_merges([caption(random.choice(shown), random).text for _ in range(20000)], MERGES), CONTEXT)


def drawn(task):
    """One training drawing [64 × 64 × 3], brought to the model's size as the published preprocessing does."""
    seed, scene = task
    size = Random(f"size {seed}").choice(SIZES)
    return np.asarray(example(scene, size, f"train {seed}").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def drawings(first, count, processes):
    random = Random(SEED + first)
    free = [scene for scene in scenes() if not never_trained(scene)]
    placed = [scene for scene in placed_scenes() if not never_trained(scene)]
    shown = [random.choice(free if random.random() < 0.55 else placed) for _ in range(count)]
    with Pool(processes) as pool:
        pixels = np.stack(pool.map(drawn, list(enumerate(shown, first)), chunksize=200))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), shown


def mirrored(scene):
    return Scene(scene.colour, scene.shape, scene.count, OTHER_SIDE.get(scene.position, scene.position))


def varied(pixels, flips):
    """Half of the drawings mirrored; brightness, contrast and noise changed a little; normalised."""
    values = pixels.float() / 255
    values[flips] = values[flips].flip(-1)
    count = len(values)
    values = values * (1 + 0.12 * (torch.rand(count, 1, 1, 1) - 0.5)) + 0.08 * (torch.rand(count, 3, 1, 1) - 0.5)
    values = values + torch.randn_like(values) * 0.03 * torch.rand(count, 1, 1, 1)
    return (values.clamp(0, 1) - MEAN) / STD


def kinds_of(shown):
    """The drawings of each colour and shape, by their numbers."""
    kinds = {}
    for index, scene in enumerate(shown):
        kinds.setdefault((scene.colour, scene.shape), []).append(index)
    return list(kinds.values())


def chosen_of(kinds, count, groups, random):
    """Numbers of a batch's drawings: some in groups of one colour and shape, the others at random."""
    alone = [random.randrange(count) for _ in range(BATCH - groups * GROUP)]
    groups = random.sample(kinds, groups)
    return torch.tensor(alone + [random.choice(group) for group in groups for _ in range(GROUP)])


def batch_of(pixels, shown, chosen, tokenizer, random):
    flips = torch.rand(BATCH) < 0.5
    scenes_of = [mirrored(shown[i]) if flip else shown[i] for i, flip in zip(chosen.tolist(), flips.tolist())]
    texts = [caption(scene, random) for scene in scenes_of]
    ids = tokenizer([text.text for text in texts], truncation=True, padding=True, return_tensors="pt").input_ids
    told = torch.tensor([claims(text.colour, text.shape, text.count, text.position) for text in texts])
    seen = torch.tensor([claims(scene.colour, scene.shape, scene.count, scene.position) for scene in scenes_of])
    return varied(pixels[chosen], flips), ids, told, seen


def embeddings(model, pixels, ids):
    images = model.get_image_features(pixel_values=pixels)
    words = model.get_text_features(input_ids=ids)
    return images / images.norm(dim=-1, keepdim=True), words / words.norm(dim=-1, keepdim=True)


class Attributes(torch.nn.Module):
    """Reads colour, shape, count and place from an embedding, of a picture or a text alike; it helps the training and is not kept.

    Measured after 600 steps: 59 % of the shapes and 73 % of the places; a run without it (nor groups) had 40 % and 12 %.
    """

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.ModuleList(torch.nn.Linear(64, 1 + len(values)) for values in (COLOURS, SHAPES, COUNTS, POSITIONS))

    def loss(self, embedding, contents):
        return sum(
            torch.nn.functional.cross_entropy(head(8 * embedding), content, ignore_index=-1)
            for head, content in zip(self.heads, contents.T)
        )


def loss_of(model, attributes, pixels, ids, told, seen):
    images, words = embeddings(model, pixels, ids)
    others = truths(told, seen) & ~torch.eye(len(ids), dtype=torch.bool)
    logits = (model.logit_scale.exp() * images @ words.T).masked_fill(others, -1e4)
    target = torch.arange(len(ids))
    pairs = (torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)) / 2
    # A drawing without a place has one nevertheless, only an unknown one; a caption without a place says none.
    places = seen.clone()
    places[places[:, 3] == 0, 3] = -1
    return pairs + 0.25 * (attributes.loss(images, places) + attributes.loss(words, told))


def optimiser_of(*modules):
    tensors = [tensor for module in modules for tensor in module.parameters()]
    matrices, others = [t for t in tensors if t.dim() > 1], [t for t in tensors if t.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def share_of_rate(step, steps):
    return min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


@torch.inference_mode()
def accuracy(model, tokenizer, pixels, shown, asked):
    """Zero-shot: the part of the drawings whose own prompt is the nearest of all `asked`."""
    ids = tokenizer([prompt(scene) for scene in asked], padding=True, return_tensors="pt").input_ids
    images, words = embeddings(model, (pixels.float() / 255 - MEAN) / STD, ids)
    return [asked[best] == scene for best, scene in zip((images @ words.T).argmax(-1).tolist(), shown)]


def checked(kind, each):
    """Drawings to watch the training by, of seeds that neither the training nor the held-out sheets use."""
    shown = [scene for scene in kind for _ in range(each)]
    pictures = [np.asarray(example(s, 128, f"watch {i}").resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for i, s in enumerate(shown)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), shown


def report(model, tokenizer, watched, placed):
    free = accuracy(model, tokenizer, *watched, scenes())
    unseen = [right for right, scene in zip(free, watched[1]) if never_trained(scene)]
    aside = accuracy(model, tokenizer, *placed, placed_scenes())
    return "all {:.3f} unseen {:.3f} places {:.3f}".format(*(sum(x) / len(x) for x in (free, unseen, aside)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--pictures", type=int, default=40000)
    parser.add_argument("--first", type=int, default=0, help="number of the first drawing: another one gives other drawings")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--groups", type=int, default=2, help="groups of 8 drawings of one colour and shape in a batch")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--start", help="folder of weights to go on from")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    start = time.time()
    tokenizer = new_tokenizer()
    pixels, shown = drawings(options.first, options.pictures, options.processes)
    watched, placed = checked(scenes(), 8), checked(placed_scenes(), 3)
    print(f"{time.time() - start:.0f} s: {len(shown)} drawings, {len(tokenizer)} tokens, {len(TEMPLATES)} templates", flush=True)
    model, kinds = CLIPModel.from_pretrained(options.start) if options.start else new_model(tokenizer), kinds_of(shown)
    model.train()
    attributes = Attributes()
    optimiser, random, mean_loss = optimiser_of(model, attributes), Random(SEED), 0
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * share_of_rate(step, options.steps)
        chosen = chosen_of(kinds, len(shown), options.groups, random)
        loss = loss_of(model, attributes, *batch_of(pixels, shown, chosen, tokenizer, random))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        model.logit_scale.data.clamp_(max=math.log(100))
        mean_loss = loss.item() if step == 0 else 0.98 * mean_loss + 0.02 * loss.item()
        if step % 200 == 199 or step == options.steps - 1:
            told = report(model, tokenizer, watched, placed)
            print(f"{time.time() - start:.0f} s: step {step + 1} loss {mean_loss:.3f} {told}", flush=True)
    model.save_pretrained(options.out)
    save_tokenizer(tokenizer, options.out)
    with open(os.path.join(options.out, "training.json"), "w", encoding="utf8") as file:
        json.dump({"steps": options.steps, "pictures": options.pictures, "minutes": round((time.time() - start) / 60)}, file)


if __name__ == "__main__":
    main()
