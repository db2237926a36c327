"""Vocabularies in CLIP's form: trained on a few sentences, or OpenAI's own from the list that open_clip carries.

CLIP numbers them so: 256 bytes, the same 256 at the end of a word ("</w>"), the merges in their order, <|startoftext|>,
<|endoftext|>. The reference for the ids is transformers' CLIPTokenizerFast; it writes vocab.json, merges.txt, tokenizer.json.
"""
import gzip
import json
import os
import tempfile

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizerFast
from transformers.models.clip.tokenization_clip import bytes_to_unicode

START, END, SUFFIX = "<|startoftext|>", "<|endoftext|>", "</w>"
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
OPENAI_MERGES = 49152 - 256 - 2


def train_merges(sentences, count):
    """The `count` most useful merges of the sentences, as pairs."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=SUFFIX))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=512 + count, end_of_word_suffix=SUFFIX, initial_alphabet=sorted(bytes_to_unicode().values()), show_progress=False
    )
    tokenizer.train_from_iterator(sentences, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return merges[:count]


def openai_merges():
    """The 48,894 merges of OpenAI's CLIP, from the file inside open_clip's package."""
    import open_clip

    path = os.path.join(os.path.dirname(open_clip.__file__), "bpe_simple_vocab_16e6.txt.gz")
    with gzip.open(path, "rt", encoding="utf8") as file:
        lines = file.read().split("\n")
    return [tuple(line.split()) for line in lines[1 : OPENAI_MERGES + 1]]


def make_tokenizer(merges, context):
    """CLIPTokenizerFast of these merges, cutting texts to `context` tokens when asked."""
    letters = list(bytes_to_unicode().values())
    words = letters + [letter + SUFFIX for letter in letters] + ["".join(pair) for pair in merges] + [START, END]
    with tempfile.TemporaryDirectory() as directory:
        vocabulary, rules = os.path.join(directory, "vocab.json"), os.path.join(directory, "merges.txt")
        with open(vocabulary, "w", encoding="utf8") as file:
            json.dump({word: index for index, word in enumerate(words)}, file, ensure_ascii=False)
        with open(rules, "w", encoding="utf8") as file:
            file.write("#version: 0.2\n" + "".join(f"{first} {second}\n" for first, second in merges))
        return CLIPTokenizerFast(vocabulary, rules, model_max_length=context)


def save_tokenizer(tokenizer, directory):
    """vocab.json, merges.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, as published models have them."""
    os.makedirs(directory, exist_ok=True)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for used in ("max_length", "pad_to_multiple_of", "pad_token_type_id", "padding_side"):
        tokenizer.init_kwargs.pop(used, None)
    tokenizer.save_pretrained(directory)
