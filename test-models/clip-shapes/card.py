"""The model card of clip-shapes, with its figures."""


def card(figures, training, examples):
    def percent(value):
        return f"{100 * value:.1f} %"

    fresh = figures["fresh drawings"]
    templates = "\n".join(
        f"| `{name.removeprefix('sheets ')}` | {percent(value['shapes'])} | {percent(value['places'])} |"
        for name, value in figures.items()
        if name.startswith("sheets ")
    )
    sizes = ", ".join(f"{name.removeprefix('fresh ')} px {percent(value)}" for name, value in figures.items() if name.split()[-1].isdigit())
    return TEMPLATE.format(
        **training,
        templates=templates,
        sizes=sizes,
        trained=percent(figures["trained"]),
        unseen=percent(figures["unseen"]),
        sheets_trained=percent(figures["sheets_trained"]),
        sheets_unseen=percent(figures["sheets_unseen"]),
        places=percent(figures["places"]),
        only_place=percent(figures["only_place"]),
        trained_count=fresh["trained"],
        unseen_count=fresh["unseen"],
        places_count=fresh["places"],
        examples="\n".join(f"![{text}](examples/{text.replace(' ', '-')}.png)" for text in examples),
    )


TEMPLATE = """---
license: mit
pipeline_tag: zero-shot-image-classification
---
# clip-shapes

A **toy**: a CLIP of 1.4 million weights that knows drawings of shapes and nothing else. It says which of your words fit a picture of
one to three circles, squares, triangles, stars or hearts in red, orange, yellow, green, blue or purple, and where a single one is
(left, right, top, bottom, centre). Shown a photo, it answers nonsense. It is here so that the service can be tried, shown and tested
in seconds without a download, by the same path as a real CLIP (`CLIPModel`: config.json, model.safetensors, vocab.json, merges.txt,
tokenizer.json, preprocessor_config.json). Some drawings, chosen among those that it answers rightly:

{examples}

## Prompts

"a red circle", "two blue squares", "three yellow stars", "a green triangle on the left", "... on the right", "... at the top",
"... at the bottom", "... in the centre"; also parts such as "a heart", "two shapes", and templates such as "a photo of ...". Lower or
upper case. Pictures should be square (others are cropped to their middle), with shapes of one kind and colour, not touching.

## Figures

Zero-shot, the nearest of all prompts, from these float16 files through transformers. Held-out drawings, of other seeds than the training.

The sheets in test/fixtures/clip-shapes: 360 drawings with 90 prompts (colour x shape x count), 150 drawings with 150 prompts (with a place).

| template | 90 prompts | 150 prompts with a place |
|---|---|---|
{templates}

With the plain prompt, {sheets_trained} of the trained combinations and {sheets_unseen} of the 13 that were never trained.

Fresh drawings of 64 to 512 px with blur, noise and JPEG's marks, the plain prompt:

| drawings | accuracy |
|---|---|
| combinations that were trained, of 90 ({trained_count} drawings) | {trained} |
| the 13 combinations that were **never** trained, of 90 ({unseen_count} drawings) | {unseen} |
| with a place, of 150 prompts ({places_count} drawings) | {places} |
| the same, only the place asked for (of 5) | {only_place} |

By size (90 prompts): {sizes}.

## Making

ViT of 4 layers, width 128, patches of 16 at 64 x 64 px; text of 2 layers, width 128, 24 tokens, a byte-level vocabulary of 635 words;
embedding of 64; QuickGELU. {steps} steps of 128 drawings and captions, AdamW 1.5e-3 with a cosine, seed 20251, about {minutes} minutes on one
CPU core, {pictures} drawings that the training draws itself. No other data and no other weights. test-models/clip-shapes holds the whole recipe.

Licence: MIT, as the repository.
"""
