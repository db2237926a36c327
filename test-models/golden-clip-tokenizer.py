"""Writes test/fixtures/clip/tokenizer/golden.json: ids of some 500 texts in OpenAI's CLIP vocabulary of 49,408 words.

venv/bin/python test-models/golden-clip-tokenizer.py [--vocabulary DIR]
npx biome format --write test/fixtures/clip/tokenizer

The vocabulary comes from open_clip's package and is not kept in the repository; with --vocabulary, DIR gets vocab.json, merges.txt and
tokenizer.json of it, for runs against the real one. The environment is golden-clip.py's.

The reference is transformers' CLIPTokenizerFast, cut at 77. Others differ from it, and the script counts where:
 - CLIPTokenizer (slow; with ftfy, which open_clip brings) drops control characters, widths of letters and &amp; before it splits, and
   lower-cases with Python (a final sigma).
 - open_clip does the same, undoes every HTML entity, and calls the special tokens <start_of_text> and <end_of_text>.
"""
import argparse
import json
import os
import unicodedata

import open_clip
from tokenizers import AddedToken
from transformers import CLIPTokenizer, CLIPTokenizerFast

from clip_vocabulary import END, START, make_tokenizer, openai_merges, save_tokenizer

OUT = os.path.join(os.path.dirname(__file__), "..", "test", "fixtures", "clip", "tokenizer")
CONTEXT = 77
SENTENCES = [
    "A photo of a cat sleeping on the sofa.", "Một con mèo đang ngủ trên ghế sô-pha.", "Thủ tướng Phạm Minh Chính thăm Huế, Đà Nẵng",
    "Un café crème, s'il vous plaît – à côté de l'hôtel", "Über große Straßen fließt Öl", "El niño comió piñas en el Perú, ¿verdad?",
    "Příliš žluťoučký kůň úpěl ďábelské ódy", "Zażółć gęślą jaźń", "Árvíztűrő tükörfúrógép", "Şişli'de İstanbul'un ışığı",
    "Ένα ποδήλατο στον δρόμο της Αθήνας", "Съешь же ещё этих мягких французских булок", "Їжак і ґудзик", "Ђорђе и Љиљана",
    "קול של אישה בַּבַּיִת", "صورة قطة على الأريكة", "مُحَمَّدٌ يَقْرَأُ", "یک گربه روی مبل می‌خوابد", "اردو میں ایک بلی",
    "सोफे पर सोती हुई बिल्ली की तस्वीर", "क्षत्रिय ज्ञान श्री", "সোফায় ঘুমন্ত বিড়ালের ছবি", "ਸੋਫੇ ਤੇ ਬਿੱਲੀ", "சோபாவில் தூங்கும் பூனை",
    "సోఫాలో పిల్లి", "ಸೋಫಾದಲ್ಲಿ ಬೆಕ್ಕು", "സോഫയിൽ പൂച്ച", "සෝෆාවේ පූසා", "แมวนอนอยู่บนโซฟา", "ແມວນອນຢູ່ເທິງໂຊຟາ", "ကြောင်အိပ်နေသည်",
    "ឆ្មាកំពុងដេក", "ཞི་མི་ཉལ་བ།", "猫がソファで寝ている写真", "カタカナとひらがな、ｶﾀｶﾅ", "がぎぐげご ぱぴぷぺぽ", "一只猫睡在沙发上", "一隻貓睡在沙發上。",
    "소파에서 자는 고양이", "Муур буйдан дээр унтаж байна", "კატა დივანზე", "Կատուն բազմոցին", "ድመት ሶፋ ላይ", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᐃᓄᒃᑎᑐᑦ",
    "Þetta er köttur", "Ħobż biż-żejt", "Ŋäṉa ŋarra", "ʻŌlelo Hawaiʻi", "Łódź, Kraków & Gdańsk",
]  # fmt: skip
LETTERS = [
    "İstanbul", "ISTANBUL ıI iİ", "straße STRASSE STRAẞE ẞ", "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ", "ς σ Σ", "ﬁne ﬂow oﬃce ﬀ ﬆ", "ǄǅǆǇǈ", "K Å Ω (Kelvin, Ångström, Ohm)",
    "K\u00e9 Ke\u0301", "\u1e9b\u0323 \u017f\u0323\u0307", "a\u0301\u0323 a\u0323\u0301", "\uac00 \u1100\u1161 \u1100\u1161\u11a8", "\u0958 \u0915\u093c",
    "\u2126 \u212a \u212b", "\ufb1d \u05d9\u05b4", "e\u0301\u0301\u0301", "\u0301a", "Ꭰ ꭰ", "Ა ა", "𐐀𐐨", "𝒜𝓑𝕮 𝟙𝟚𝟛", "ＡＢＣ ａｂｃ １２３",
    "ⒶⒷⓐ", "ªº ʰʲ ˢ", "Ⅷ ⅷ ↀ", "ß\u0308", "i\u0307 I\u0307 ị\u0307", "Ǆ\u0301", "ŉ ʼn", "ﬀi", "Z̷a̷l̷g̷o̷", "Ż̴̡a̸͝l̵̕g̴͑o̵͌", "\U00020000\U0002a6d6 𠮷野家", "﨑 \ufa11 \uf900", "ꙮ",
]  # fmt: skip
NUMBERS = [
    "0123456789", "3.14159", "1,234,567.89", "١٢٣٤٥٦٧٨٩٠", "۱۲۳", "१२३", "๑๒๓", "一二三 〇 十百千", "½ ¼ ⅔ ⅚", "x² y³ z₁₂", "①②⑳ ❶ ㊀ ㉑", "Ⅳ ⅳ", "٪ ٫ ٬",
    "1st 2nd 3rd 4th", "10:30pm", "2024-02-29", "0x7fFF", "1e-7", "50%", "$9.99", "€20", "₫100.000", "+84 (0)28-3822", "v1.2.3-rc4", "3×4÷2=6", "a1b2c3", "room101b", "௧௨", "༡༢", "𝟎𝟗",
]  # fmt: skip
PUNCTUATION = [
    "", " ", ".", "...", "…", "!!!???", "?!", "-", "--", "---", "—", "–", "- - -", "hello,world", "a/b\\c", "a_b__c___d", "(a) [b] {c} <d>", "\"a\" 'b' `c`", "“a” ‘b’ „c“ «d» ‹e›",
    "#tag @user", "https://example.com/path?q=1&r=a%20b#top", "name@example.co.uk", "C:\\Windows\\system32", "a+b=c", "a*b**c", "~^|¬¦", "§¶†‡•", "©®™", "°C °F", "♀♂ ♥ ★", "←→↔ ⇒", "¡Hola! ¿Qué?",
    "。、！？「」", "〜～・", "‰‱", "a.b.c.d", "e.g. i.e.", "e-mail", "rock'n'roll", "y'all'd've", "--flag=value", ":-) ;) <3 xD", "\\n \\t", "%s %d", "{{name}}", "$x^2$", "a…b", "a․b", "''", "'", "'s", " 's", "''s", "s's",
]  # fmt: skip
CONTRACTIONS = ["it's", "don't", "we're", "I've", "I'm", "they'll", "he'd", "the dogs' bowls", "let's can't you're", "o'clock", "it’s don’t"]
ENTITIES = ["&amp;", "&lt;b&gt;", "&#39;s", "&eacute;", "&nbsp;x", "&amp;amp;", "AT&T", "&copy 2024", "&#x1F600;", "a&b;c"]
EMOJI = [
    "😀", "😀😀😀", "a😀b", "👍🏽", "👩‍👩‍👧‍👦", "👩🏻‍🚀", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇻🇳🇫🇷", "❤️", "❤", "☕️", "1️⃣ #️⃣", "🐈‍⬛", "🫠", "©️", "🤷🏾‍♂️", "🧑‍💻 at work", "i ❤️ ny", "🎉🎊!!", "👀👀", "🔥100", "🥹", "⚽️🏀", "🌊🏄‍♀️ surf",
]  # fmt: skip
INVISIBLE = [0xA0, 0xAD, 0x61C, 0x1680, 0x180E, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x202A, 0x202E, 0x202F, 0x205F, *range(0x2060, 0x2065), 0x3000, 0x3164, 0xFE0F, 0xFEFF, 0xFFFC, 0xFFFD, 0xE000, 0xE0001, 0x10FFFF]  # fmt: skip
SPECIAL = [
    START, END, f"{START}{END}", f"{START}a cat{END}", f"a {START} cat", f"a{END}b", f"a {END} b {END}", f"  {END}  ", f"it's{START}", START.upper(), END.upper(), "<|StartOfText|>", "<|EndOfText|>",
    "<|endoftext", "|endoftext|>", "< |endoftext|>", "<|end of text|>", "<start_of_text>", "<end_of_text>", "<|pad|>", "</s>", "<unk>", "[CLS] [SEP]", "cat</w>", "</w>", "ca</w>t", "Ġcat", "##cat", "▁cat",
    f"{END}{END}{END}", f"{START}\n{START}", f"é{END}e\u0301",
]  # fmt: skip
LONG = [
    "a" * 100, "ab" * 80, "supercalifragilisticexpialidocious", "Donaudampfschifffahrtsgesellschaftskapitän", "pneumonoultramicroscopicsilicovolcanoconiosis", "x " * 74 + "y", "x " * 75, "x " * 75 + "y", "x " * 76,
    "cat " * 200, "!" * 90, "😀" * 40, "猫" * 60, "1" * 80, "word " * 70 + "supercalifragilisticexpialidocious",
    "a very long caption that tells of the street, the people, the cars, the shops, the lights and the rain, " * 5, "Hello" * 30, "ñ" * 80, "a-" * 50, "zzzzzzzzzzzzzzzzzzzz",
]  # fmt: skip
SPACES = ["  a   cat  ", "a\tcat", "a\ncat", "a\r\ncat", "\n\n\n", "\ta\t", "a \n b", "cat \u00a0 dog", "\u3000猫\u3000", "a\u2003b", " .", ". ", " a", "a "]
CAPTIONS = [
    "a bad photo of a {}.", "a photo of many {}.", "a sculpture of a {}.", "a low resolution photo of the {}.", "graffiti of a {}.", "a tattoo of a {}.", "the embroidered {}.", "a {} in a video game.",
    "itap of my {}.", "a jpeg corrupted photo of the {}.", "a pixelated photo of a {}.", "a cartoon {}.", "art of the {}.", "a plushie {}.", "The Toy {}", "THIS IS A PHOTO OF {}",
]  # fmt: skip
LABELS = ["golden retriever", "T-shirt", "Eiffel Tower", "phở bò"]


def texts():
    cases = [form for text in SENTENCES for form in (text, unicodedata.normalize("NFD", text), text.upper())]
    cases += [unicodedata.normalize("NFKD", text) for text in LETTERS] + LETTERS
    cases += NUMBERS + PUNCTUATION + ENTITIES + EMOJI + SPECIAL + LONG + SPACES
    cases += [form for text in CONTRACTIONS for form in (text, text.upper(), text.title())]
    cases += [f"a{chr(code)}b" for code in [*range(0x20), *range(0x7F, 0xA0)]]
    cases += [f"a{chr(code)}b {chr(code)}" for code in INVISIBLE]
    cases += [caption.format(LABELS[index % len(LABELS)]) for index, caption in enumerate(CAPTIONS)]
    return list(dict.fromkeys(cases))


def openai_tokenizer():
    """As OpenAI publishes it: <|startoftext|> is sought in the normalised text (so in capitals too), <|endoftext|> in the raw one."""
    tokenizer = make_tokenizer(openai_merges(), CONTEXT)
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in whole["added_tokens"]:
        token["normalized"] = token["content"] == START
    return whole


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vocabulary", help="folder that gets vocab.json, merges.txt and tokenizer.json")
    options = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    directory = options.vocabulary or os.path.join(OUT, "vocabulary")
    os.makedirs(directory, exist_ok=True)
    file = os.path.join(directory, "tokenizer.json")
    with open(file, "w", encoding="utf8") as out:
        json.dump(openai_tokenizer(), out, ensure_ascii=False)
    start, end = AddedToken(START, normalized=True, special=True), AddedToken(END, normalized=False, special=True)
    tokenizer = CLIPTokenizerFast(
        tokenizer_file=file, bos_token=start, eos_token=end, pad_token=end, unk_token=end, model_max_length=CONTEXT
    )
    save_tokenizer(tokenizer, directory)
    cases = texts()
    ids = tokenizer(cases, truncation=True, max_length=CONTEXT).input_ids
    count_differences(cases, ids, CLIPTokenizer.from_pretrained(directory))
    if not options.vocabulary:
        for name in os.listdir(directory):
            os.remove(os.path.join(directory, name))
        os.rmdir(directory)
    with open(os.path.join(OUT, "golden.json"), "w", encoding="utf8") as out:
        json.dump({"contextLength": CONTEXT, "texts": [[text, row] for text, row in zip(cases, ids)]}, out, ensure_ascii=False)


def count_differences(cases, ids, slow):
    """Prints how many texts the slow tokenizer and open_clip's see otherwise."""
    theirs = {"CLIPTokenizer": [slow(text, truncation=True, max_length=CONTEXT).input_ids for text in cases]}
    end = ids[0][-1]
    opened = open_clip.tokenize(cases).tolist()
    theirs["open_clip"] = [row[: row.index(end) + 1] for row in opened]
    print(len(cases), "texts")
    for name, rows in theirs.items():
        different = [text for text, row, other in zip(cases, ids, rows) if row != other]
        print(name, "differs in", len(different), *[ascii(text[:30]) for text in different[:400:7]], sep="\n  ")


if __name__ == "__main__":
    main()
