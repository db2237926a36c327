"""Publishes clip-shapes: models/clip-shapes/ from trained weights, and test/fixtures/clip-shapes/, the drawings it is tested on.

    python publish.py sheets           writes the held-out sheets and labels.json
    python publish.py model FOLDER     writes the model from train.py's FOLDER, its examples and its card with the figures
    python publish.py check            prints the figures of the published files

The figures come from the published float16 weights through transformers' own CLIPProcessor.
"""
import json
import os
import sys

import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

from captions import prompt
from card import card
from draw import Scene, example, never_trained, placed_scenes, scenes

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "test-models"))
from clip_vocabulary import save_tokenizer  # noqa: E402

MODEL, SHEETS = os.path.join(ROOT, "models", "clip-shapes"), os.path.join(ROOT, "test", "fixtures", "clip-shapes")
CELL, COLUMNS, SHEETS_OF_SHAPES = 96, 15, 4
TEMPLATES = ["{}", "a photo of {}", "a drawing of {}", "this is a photo of {}."]
FRESH_SIZES = [64, 96, 150, 256, 512]
EXAMPLES = [
    Scene("red", "circle", 1),
    Scene("blue", "square", 2),
    Scene("yellow", "star", 3),
    Scene("green", "triangle", 1, "left"),
    Scene("purple", "heart", 1, "top"),
    Scene("orange", "star", 2),
]


def write_sheets():
    """Four sheets with each of the 90 scenes once, and one with each of the 150 placed ones; plain, so that the files stay small."""
    os.makedirs(SHEETS, exist_ok=True)
    sheets = [(f"shapes-{number}.png", "prompts", scenes()) for number in range(1, SHEETS_OF_SHAPES + 1)]
    sheets.append(("places.png", "placedPrompts", placed_scenes()))
    labels = {
        "cell": CELL,
        "columns": COLUMNS,
        "templates": TEMPLATES,
        "prompts": [prompt(scene) for scene in scenes()],
        "neverTrained": [index for index, scene in enumerate(scenes()) if never_trained(scene)],
        "placedPrompts": [prompt(scene) for scene in placed_scenes()],
        "sheets": [],
    }
    for name, prompts, shown in sheets:
        order = sorted(range(len(shown)), key=lambda index: (index * 37 + len(name)) % len(shown))
        sheet = Image.new("RGB", (COLUMNS * CELL, -(-len(shown) // COLUMNS) * CELL))
        for place, index in enumerate(order):
            drawing = example(shown[index], CELL, f"held out {name} {index}", wear=False)
            sheet.paste(drawing, (place % COLUMNS * CELL, place // COLUMNS * CELL))
        sheet.save(os.path.join(SHEETS, name), optimize=True)
        labels["sheets"].append({"file": name, "prompts": prompts, "answers": order})
    with open(os.path.join(SHEETS, "labels.json"), "w", encoding="utf8") as file:
        json.dump(labels, file, indent=2)


def write_model(trained):
    model = CLIPModel.from_pretrained(trained).half()
    model.save_pretrained(MODEL)
    save_tokenizer(CLIPTokenizerFast.from_pretrained(trained), MODEL)
    side = model.config.vision_config.image_size
    CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side}).save_pretrained(MODEL)
    os.makedirs(os.path.join(MODEL, "examples"), exist_ok=True)
    for scene in EXAMPLES:
        drawing = example(scene, 256, f"sketch {prompt(scene)}", wear=False)
        drawing.save(os.path.join(MODEL, "examples", prompt(scene).replace(" ", "-") + ".png"), optimize=True)
    with open(os.path.join(trained, "training.json"), encoding="utf8") as file:
        training = json.load(file)
    with open(os.path.join(MODEL, "README.md"), "w", encoding="utf8") as file:
        file.write(card(figures(), training, [prompt(scene) for scene in EXAMPLES]))


class Published:
    """The published files, as a user of transformers has them."""

    def __init__(self):
        self.model = CLIPModel.from_pretrained(MODEL, dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizerFast.from_pretrained(MODEL)
        self.processor = CLIPImageProcessor.from_pretrained(MODEL)

    @torch.inference_mode()
    def pictures(self, pictures):
        return unit(self.model.get_image_features(**self.processor(pictures, return_tensors="pt")))

    @torch.inference_mode()
    def texts(self, texts):
        return unit(self.model.get_text_features(**self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")))


def unit(values):
    return values / values.norm(dim=-1, keepdim=True)


def cells():
    """Each sheet's name of prompts, the cells, the right answers."""
    with open(os.path.join(SHEETS, "labels.json"), encoding="utf8") as file:
        labels = json.load(file)
    for sheet in labels["sheets"]:
        image, cell = Image.open(os.path.join(SHEETS, sheet["file"])).convert("RGB"), labels["cell"]
        corners = [(i % labels["columns"] * cell, i // labels["columns"] * cell) for i in range(len(sheet["answers"]))]
        yield labels[sheet["prompts"]], [image.crop((x, y, x + cell, y + cell)) for x, y in corners], sheet["answers"]


def part(rights):
    return sum(rights) / len(rights)


def figures():
    """What the card says: accuracy on the sheets, and on fresh drawings with blur, noise and JPEG's marks at other sizes."""
    published, found, sheets = Published(), {}, {True: [], False: []}
    for template in TEMPLATES:
        rights = {"shapes": [], "places": []}
        for prompts, pictures, answers in cells():
            texts = published.texts([template.format(text) for text in prompts])
            best = (published.pictures(pictures) @ texts.T).argmax(-1).tolist()
            plain = len(prompts) == len(scenes())
            rights["shapes" if plain else "places"] += [a == b for a, b in zip(best, answers)]
            if plain and template == "{}":
                for chosen, answer in zip(best, answers):
                    sheets[never_trained(scenes()[answer])].append(chosen == answer)
        found[f"sheets {template}"] = {name: part(values) for name, values in rights.items()}
    texts, placed = (published.texts([prompt(scene) for scene in kind]) for kind in (scenes(), placed_scenes()))
    seen, unseen, places, only_place = [], [], [], []
    for size in FRESH_SIZES:
        shown = [(scene, f"fresh {size} {index}") for scene in scenes() for index in range(3)]
        best = (published.pictures([example(scene, size, seed) for scene, seed in shown]) @ texts.T).argmax(-1).tolist()
        rights = [scenes()[index] == scene for index, (scene, _) in zip(best, shown)]
        found[f"fresh {size}"] = part(rights)
        for right, (scene, _) in zip(rights, shown):
            (unseen if never_trained(scene) else seen).append(right)
        scores = published.pictures([example(scene, size, f"fresh {size}") for scene in placed_scenes()]) @ placed.T
        places += [index == best for index, best in enumerate(scores.argmax(-1).tolist())]
        groups = scores.view(len(scores), -1, 5)[torch.arange(len(scores)), torch.arange(len(scores)) // 5]
        only_place += (groups.argmax(-1) == torch.arange(len(scores)) % 5).tolist()
    found.update(trained=part(seen), unseen=part(unseen), places=part(places), only_place=part(only_place))
    found.update(sheets_trained=part(sheets[False]), sheets_unseen=part(sheets[True]))
    found["fresh drawings"] = {"trained": len(seen), "unseen": len(unseen), "places": len(places)}
    return found


def main():
    torch.set_num_threads(1)
    command = sys.argv[1:2]
    if command == ["sheets"]:
        write_sheets()
    elif command == ["model"] and len(sys.argv) == 3:
        write_model(sys.argv[2])
    elif command == ["check"]:
        print(json.dumps(figures(), indent=2))
    else:
        sys.exit(__doc__)


main()
