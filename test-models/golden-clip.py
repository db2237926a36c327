"""Writes test/fixtures/clip/: small random CLIP and SigLIP checkpoints in each layout, and what the published packages make of them.

python3.11 -m venv venv && venv/bin/pip install torch==2.5.1 transformers==4.57.6 open_clip_torch==3.3.0 onnx onnxruntime pillow
venv/bin/python test-models/golden-clip.py
npx biome format --write test/fixtures/clip

The weights are random, so the scores mean nothing; they exercise every step. Biases and norms are moved so that none is 0 or 1, and
no two widths are alike. The pictures are pixels at the model's size, so that neither decoding nor resizing plays a part.
The ids of texts have a script of their own, golden-clip-tokenizer.py.
"""
import base64
import json
import math
import os

import numpy as np
import onnxruntime
import open_clip
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

from clip_vocabulary import make_tokenizer, save_tokenizer, train_merges

OUT = os.path.join(os.path.dirname(__file__), "..", "test", "fixtures", "clip")
SIZE = 32
MERGES = 46
CONTEXT = 20
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SENTENCES = [
    "a photo of a cat", "a photo of a dog", "a photo of two cats and a dog on the grass", "a drawing of a red house by the lake",
    "the quick brown fox jumps over the lazy dog", "a blurry picture of a street at night", "an old man's hat", "it's raining on the road",
    "a bowl of noodle soup with beef", "a close-up of a flower", "people waiting for a train at the station", "a plane in the blue sky",
    "the children play with a ball", "a painting of a sailing boat", "a sign that says stop", "một con mèo trên ghế", "ein Haus am See",
]  # fmt: skip
TEXTS = [
    "a photo of a cat",
    "A Photo of a DOG!",
    "x",
    "",
    "   two  cats\tand\na dog  ",
    "it's the old man's hat, they'll say; I'VE seen 12 of them",
    "một con mèo trên ghế",
    "me\u0300o me\u0323o va\u0300 NHA\u0300",
    "一只猫坐在椅子上",
    "قطة على الكرسي",
    "a 👩‍👩‍👧‍👦 family 🐈‍⬛",
    "line\u0000with\u0007control\u200bcharacters\ufeff",
    "<|startoftext|>a cat<|endoftext|> a dog",
    "&lt;b&gt; caf\u00e9 #42 @home",
    "a bowl of noodle soup with beef and a close-up of a flower by the lake at night " * 3,
]


def f32(tensor):
    return base64.b64encode(np.ascontiguousarray(tensor.detach().numpy(), dtype="<f4").tobytes()).decode()


def pictures():
    """[6 × 32 × 32 × 3] of bytes: black, white, noise, a gradient, a chequered board, a disc."""
    noise = np.random.RandomState(5).randint(0, 256, (SIZE, SIZE, 3))
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    gradient = np.stack([x * 8, y * 8, (x + y) * 4], -1)
    board = np.repeat(((x // 4 + y // 4) % 2 * 255)[..., None], 3, -1)
    disc = np.where((((x - 12) ** 2 + (y - 18) ** 2) < 90)[..., None], [220, 30, 40], [240, 240, 200])
    return np.stack([np.zeros_like(noise), np.full_like(noise, 255), noise, gradient, board, disc]).astype(np.uint8)


def normalised(pixels, mean, std):
    values = torch.from_numpy(pixels).float().permute(0, 3, 1, 2) / 255
    return (values - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def perturb(model, seed):
    """Weights large enough that pictures differ; biases, norms and the scale moved off their beginnings."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if name in ("logit_scale", "logit_bias"):
                continue
            if tensor.dim() > 1 or "class_embedding" in name:
                tensor.copy_(torch.randn_like(tensor) * (0.6 if "embedding" in name else 1.4 / tensor.shape[-1] ** 0.5))
            else:
                tensor.add_(0.2 * torch.randn_like(tensor))
        model.logit_scale.fill_(3.1)
    return model.eval()


def boundary_texts(tokenizer, context):
    """Texts whose ids just fit, are one too few and one too many."""
    texts = ("cat " + "a " * count for count in range(context))
    by_length = {len(tokenizer(text, verbose=False).input_ids): text for text in texts}
    return [by_length[length] for length in (context - 1, context, context + 1)]


def write_json(path, value):
    with open(path, "w", encoding="utf8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)


def write_golden(directory, *, texts, ids, images, words, logits, scores, mean, std, **more):
    pixels = pictures()
    correlations = torch.corrcoef(images).fill_diagonal_(0).abs().max().item(), torch.corrcoef(words).fill_diagonal_(0).max().item()
    print(os.path.basename(directory), "closest pictures and texts (correlation):", *(round(x, 3) for x in correlations))
    golden = {
        "size": SIZE,
        "mean": mean,
        "std": std,
        **more,
        "pictures": [
            {"pixels": base64.b64encode(picture.tobytes()).decode(), "embedding": f32(image)} for picture, image in zip(pixels, images)
        ],
        "texts": [{"text": text, "ids": row, "embedding": f32(word)} for text, row, word in zip(texts, ids, words)],
        "logits": f32(logits),
        "scores": f32(scores),
    }
    write_json(os.path.join(directory, "golden.json"), golden)


def folder(name):
    directory = os.path.join(OUT, name)
    os.makedirs(directory, exist_ok=True)
    return directory


def save_processor(directory, mean, std, kind=CLIPImageProcessor):
    if kind is SiglipImageProcessor:
        processor = kind(size={"height": SIZE, "width": SIZE}, image_mean=mean, image_std=std)
    else:
        processor = kind(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}, image_mean=mean, image_std=std)
    processor.save_pretrained(directory)


def padded(rows, context, pad):
    return torch.tensor([row + [pad] * (context - len(row)) for row in rows])


def clip_golden(directory, model, tokenizer, context, **more):
    """Golden numbers of a CLIPModel; each text by itself, so that no padding plays a part."""
    texts = TEXTS + boundary_texts(tokenizer, context)
    ids = [tokenizer(text, truncation=True, max_length=context).input_ids for text in texts]
    with torch.inference_mode():
        images = model.get_image_features(pixel_values=normalised(pictures(), CLIP_MEAN, CLIP_STD))
        words = torch.cat([model.get_text_features(input_ids=torch.tensor([row])) for row in ids])
        images, words = (x / x.norm(dim=-1, keepdim=True) for x in (images, words))
        together = model(
            input_ids=padded(ids, context, tokenizer.eos_token_id), pixel_values=normalised(pictures(), CLIP_MEAN, CLIP_STD)
        )
        logits = together.logits_per_image
        torch.testing.assert_close(logits, model.logit_scale.exp() * images @ words.T, atol=2e-4, rtol=1e-4)
    write_golden(
        directory,
        texts=texts,
        ids=ids,
        images=images,
        words=words,
        logits=logits,
        scores=logits.softmax(-1),
        mean=CLIP_MEAN,
        std=CLIP_STD,
        contextLength=context,
        logitScale=model.logit_scale.exp().item(),
        **more,
    )


def pooling_cases(model, end):
    """Ids that tell the two poolings apart: the first <|endoftext|>, and (where the config's eos_token_id is 2) the highest id."""
    start = end - 1
    rows = [
        [start, 320, 330, end],
        [start, 320, end + 1, 330, end],  # An id above <|endoftext|>: the highest id is not the end.
        [start, 320, end, 330, end, end],
        [start, 320, end, end + 1, 40],
    ]
    cases = []
    transformer = model.text_model.eos_token_id
    for eos in (end, 2):
        model.text_model.eos_token_id = eos
        with torch.inference_mode():
            for row in rows:
                words = model.get_text_features(input_ids=torch.tensor([row]))[0]
                cases.append({"eosTokenId": eos, "ids": row, "embedding": f32(words / words.norm())})
    model.text_model.eos_token_id = transformer
    return cases


def huggingface(tokenizer):
    directory = folder("huggingface")
    end = tokenizer.eos_token_id
    config = CLIPConfig(
        # Two ids more than the tokenizer has, as models with added tokens.
        text_config=dict(vocab_size=end + 3, hidden_size=24, intermediate_size=56, num_hidden_layers=2, num_attention_heads=3,
                         max_position_embeddings=CONTEXT, projection_dim=40, bos_token_id=end - 1, eos_token_id=end, pad_token_id=end,
                         hidden_act="quick_gelu"),
        vision_config=dict(hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=3, image_size=SIZE,
                           patch_size=8, projection_dim=40, hidden_act="quick_gelu"),
        projection_dim=40,
    )  # fmt: skip
    model = perturb(CLIPModel(config), 1)
    model.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
    save_processor(directory, CLIP_MEAN, CLIP_STD)
    clip_golden(directory, model, tokenizer, CONTEXT, pooling=pooling_cases(model, end))
    return directory, model


def tinyclip(tokenizer):
    """TinyCLIP's form: more layers for pictures than for texts, and the eos_token_id 2 of old configs (the highest id is the end)."""
    directory = folder("tinyclip")
    end = tokenizer.eos_token_id
    config = CLIPConfig(
        text_config=dict(vocab_size=end + 1, hidden_size=24, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
                         max_position_embeddings=CONTEXT, bos_token_id=0, eos_token_id=2, pad_token_id=1, hidden_act="gelu"),
        vision_config=dict(hidden_size=32, intermediate_size=56, num_hidden_layers=3, num_attention_heads=4, image_size=SIZE,
                           patch_size=16, hidden_act="gelu"),
        projection_dim=20,
    )  # fmt: skip
    model = perturb(CLIPModel(config), 2)
    model.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
    save_processor(directory, CLIP_MEAN, CLIP_STD)
    clip_golden(directory, model, tokenizer, CONTEXT)


def openclip(tokenizer):
    directory = folder("openclip")
    config = dict(
        embed_dim=40,
        vision_cfg=dict(image_size=SIZE, layers=2, width=48, head_width=16, patch_size=8, mlp_ratio=1.75),
        text_cfg=dict(context_length=CONTEXT, vocab_size=len(tokenizer), width=24, heads=3, layers=2, mlp_ratio=2.0),
    )
    model = perturb(open_clip.model.CLIP(**config), 3)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, f"{directory}/open_clip_model.safetensors")
    preprocess = dict(mean=CLIP_MEAN, std=CLIP_STD, interpolation="bicubic", resize_mode="shortest")
    write_json(f"{directory}/open_clip_config.json", {"model_cfg": config, "preprocess_cfg": preprocess})
    save_tokenizer(tokenizer, directory)
    texts = TEXTS + boundary_texts(tokenizer, CONTEXT)
    ids = [tokenizer(text, truncation=True, max_length=CONTEXT).input_ids for text in texts]
    with torch.inference_mode():
        images = model.encode_image(normalised(pictures(), CLIP_MEAN, CLIP_STD), normalize=True)
        words = model.encode_text(padded(ids, CONTEXT, 0), normalize=True)
        logits = model.logit_scale.exp() * images @ words.T
    write_golden(
        directory,
        texts=texts,
        ids=ids,
        images=images,
        words=words,
        logits=logits,
        scores=logits.softmax(-1),
        mean=CLIP_MEAN,
        std=CLIP_STD,
        contextLength=CONTEXT,
        logitScale=model.logit_scale.exp().item(),
    )


def unigram_pieces():
    """The parts of the sentences' words, scored by how often they occur (the library's own trainer differs from run to run)."""
    counts = {}
    for word in ("▁" + word for sentence in SENTENCES for word in sentence.lower().split()):
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + 6) + 1):
                counts[word[start:end]] = counts.get(word[start:end], 0) + 1
    kept = {piece: count for piece, count in counts.items() if len(piece) == 1 or count > 2}
    total = sum(kept.values())
    scored = sorted(((piece, math.log(count / total)) for piece, count in kept.items()), key=lambda pair: (-pair[1], pair[0]))
    return [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *scored]


def siglip_tokenizer(context):
    """A Unigram in the form of SigLIP's: lower case, no punctuation, "▁" for spaces, "</s>" at the end and as padding."""
    tokenizer = Tokenizer(models.Unigram(unigram_pieces(), unk_id=2))
    punctuation = normalizers.Replace(Regex(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"), "")
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), punctuation, normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], special_tokens=[("</s>", 1)])
    end = AddedToken("</s>", lstrip=True, rstrip=True, normalized=False, special=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=end,
        pad_token=end,
        unk_token="<unk>",
        model_max_length=context,
        model_input_names=["input_ids"],
        padding_side="right",
    )


def siglip():
    directory, context, mean = folder("siglip"), 16, [0.5, 0.5, 0.5]
    tokenizer = siglip_tokenizer(context)
    config = SiglipConfig(
        text_config=dict(vocab_size=len(tokenizer), hidden_size=24, intermediate_size=56, num_hidden_layers=2, num_attention_heads=3,
                         max_position_embeddings=context, projection_size=32, pad_token_id=1, bos_token_id=None, eos_token_id=1),
        vision_config=dict(hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE, patch_size=8),
    )  # fmt: skip
    model = perturb(SiglipModel(config), 4)
    with torch.no_grad():
        model.logit_scale.fill_(2.3)
        model.logit_bias.fill_(-4.5)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    save_processor(directory, mean, mean, SiglipImageProcessor)
    texts = TEXTS + boundary_texts(tokenizer, context)
    ids = tokenizer(texts, truncation=True, max_length=context, padding="max_length").input_ids
    with torch.inference_mode():
        out = model(input_ids=torch.tensor(ids), pixel_values=normalised(pictures(), mean, mean))
    write_golden(
        directory,
        texts=texts,
        ids=ids,
        images=out.image_embeds,
        words=out.text_embeds,
        logits=out.logits_per_image,
        scores=out.logits_per_image.sigmoid(),
        mean=mean,
        std=mean,
        contextLength=context,
        logitScale=model.logit_scale.exp().item(),
        logitBias=model.logit_bias.item(),
    )


class TextOutputs(torch.nn.Module):
    def __init__(self, model, masked):
        super().__init__()
        self.model = model
        self.masked = masked

    def forward(self, input_ids, attention_mask=None):
        out = self.model(input_ids=input_ids, attention_mask=attention_mask if self.masked else None)
        return out.text_embeds, out.last_hidden_state


class ImageOutputs(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        out = self.model(pixel_values=pixel_values)
        return out.image_embeds, out.last_hidden_state


def export_text(model, path, masked):
    names = ["input_ids", "attention_mask"][: 1 + masked]
    example = torch.tensor([[513, 80, 81, model.config.eos_token_id]] * 2)
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in names + ["last_hidden_state"]}
    torch.onnx.export(
        TextOutputs(model, masked).eval(),
        (example, torch.ones_like(example))[: 1 + masked],
        path,
        input_names=names,
        output_names=["text_embeds", "last_hidden_state"],
        dynamic_axes={**axes, "text_embeds": {0: "batch_size"}},
        opset_version=17,
    )


def exported(source, tokenizer):
    """The layout that transformers.js publishes, with the weights of huggingface/. Exports differ in whether the texts have a mask:
    text_model.onnx has one, text_model_quantized.onnx has not."""
    directory = folder("exported")
    os.makedirs(f"{directory}/onnx", exist_ok=True)
    text = CLIPTextModelWithProjection.from_pretrained(source, attn_implementation="eager").eval()
    vision = CLIPVisionModelWithProjection.from_pretrained(source, attn_implementation="eager").eval()
    axes = {0: "batch_size"}
    torch.onnx.export(
        ImageOutputs(vision).eval(),
        (normalised(pictures()[:2], CLIP_MEAN, CLIP_STD),),
        f"{directory}/onnx/vision_model.onnx",
        input_names=["pixel_values"],
        output_names=["image_embeds", "last_hidden_state"],
        dynamic_axes={"pixel_values": axes, "image_embeds": axes, "last_hidden_state": axes},
        opset_version=17,
    )
    export_text(text, f"{directory}/onnx/text_model.onnx", True)
    export_text(text, f"{directory}/onnx/unmasked.onnx", False)
    for plain, name in (("vision_model", "vision_model"), ("unmasked", "text_model")):
        quantize_dynamic(
            f"{directory}/onnx/{plain}.onnx",
            f"{directory}/onnx/{name}_quantized.onnx",
            weight_type=QuantType.QUInt8,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            extra_options={"EnableSubgraph": True},
        )
    os.remove(f"{directory}/onnx/unmasked.onnx")
    CLIPConfig.from_pretrained(source).save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
    save_processor(directory, CLIP_MEAN, CLIP_STD)
    clip_golden(directory, CLIPModel.from_pretrained(source).eval(), tokenizer, CONTEXT, quantized=run_exported(directory, tokenizer))


def run_exported(directory, tokenizer):
    """Embeddings of the exported graphs: the plain ones must equal torch's (checked here), the quantised ones are written down."""
    texts = TEXTS + boundary_texts(tokenizer, CONTEXT)
    ids = [tokenizer(text, truncation=True, max_length=CONTEXT).input_ids for text in texts]
    pixels = normalised(pictures(), CLIP_MEAN, CLIP_STD).numpy()
    results = {}
    for suffix in ("", "_quantized"):
        text = onnxruntime.InferenceSession(f"{directory}/onnx/text_model{suffix}.onnx")
        vision = onnxruntime.InferenceSession(f"{directory}/onnx/vision_model{suffix}.onnx")
        names = {each.name for each in text.get_inputs()}
        words = []
        for row in ids:
            feeds = {"input_ids": np.array([row]), "attention_mask": np.ones((1, len(row)), np.int64)}
            words.append(text.run(["text_embeds"], {name: feeds[name] for name in names})[0][0])
        # One picture at a time: the quantised graphs' results depend on what shares the batch.
        images = [vision.run(["image_embeds"], {"pixel_values": picture[None]})[0][0] for picture in pixels]
        results[suffix] = [torch.from_numpy(np.stack(x) / np.linalg.norm(x, axis=-1, keepdims=True)) for x in (images, words)]
    model = CLIPModel.from_pretrained(os.path.join(OUT, "huggingface")).eval()
    with torch.inference_mode():
        truth = model.get_image_features(pixel_values=torch.from_numpy(pixels))
        torch.testing.assert_close(results[""][0], truth / truth.norm(dim=-1, keepdim=True), atol=1e-5, rtol=0)
        truth = torch.cat([model.get_text_features(input_ids=torch.tensor([row])) for row in ids])
        torch.testing.assert_close(results[""][1], truth / truth.norm(dim=-1, keepdim=True), atol=1e-5, rtol=0)
    for plain, quantised in zip(results[""], results["_quantized"]):
        print("quantised, least cosine:", (plain * quantised).sum(-1).min().item())
    images, words = results["_quantized"]
    return {"pictures": [f32(each) for each in images], "texts": [f32(each) for each in words]}


def main():
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(train_merges(SENTENCES, MERGES), CONTEXT)
    source, _ = huggingface(tokenizer)
    openclip(tokenizer)
    tinyclip(tokenizer)
    siglip()
    exported(source, tokenizer)


main()
