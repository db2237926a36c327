"""Writes the pictures of test/fixtures/images/ and what Pillow and transformers make of them, golden.json.

pip install pillow==12.1.0 numpy==2.2.6 transformers==4.57.6

Rows come before columns in all versions of Pillow up to that, and so in what models were trained on; 12.3 and 13 have a few shapes the
other way round, for speed, and then other roundings.

python test-models/golden-images.py; npx biome format --write test/fixtures/images
python test-models/golden-images.py --many FOLDER   (larger ones, for dist/bench/image-agreement.js)
"""
import base64
import hashlib
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from transformers import CLIPImageProcessor, SiglipImageProcessor

Image.MAX_IMAGE_PIXELS = None
AS_IS = dict(do_rescale=False, do_normalize=False)
PROCESSORS = {
    "clip": CLIPImageProcessor(**AS_IS),
    "siglip": SiglipImageProcessor(size={"height": 48, "width": 64}, resample=2, **AS_IS),
    "odd": CLIPImageProcessor(size={"shortest_edge": 33}, crop_size={"height": 20, "width": 21}, resample=2, **AS_IS),
    "padded": CLIPImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 51, "width": 64}, **AS_IS),
    "cut": CLIPImageProcessor(do_resize=False, crop_size={"height": 31, "width": 40}, **AS_IS),
    "small": CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, **AS_IS),
}


def drawing(width, height, seed=0, noise=12):
    """Waves, edges and a little noise: what resampling filters differ on."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bands = [127 + 110 * np.sin(x / (5 + 4 * c) + y / (17 - 3 * c) + seed) for c in range(3)]
    pixels = np.stack(bands, -1)
    pixels[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2] = (250, 40, 90)
    pixels[(x + y) % 41 < 4] = (5, 230, 160)
    pixels += rng.normal(0, noise, (height, width, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encode(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(pixels, color, interlaced=False):
    """What Pillow cannot write: 16 bits a sample, and interlaced. [height x width x channels], uint8 or uint16."""
    depth = pixels.dtype.itemsize * 8
    height, width, _ = pixels.shape
    wide = pixels.astype(">u2") if depth == 16 else pixels
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [wide[top::down, left::right] for top, left, down, right in passes]
    lines = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")


def with_alpha(image, seed=0):
    alpha = np.asarray(drawing(*image.size, seed + 9).convert("L")).copy()
    alpha[: image.height // 3] = 0
    result = image.convert("RGBA")
    result.putalpha(Image.fromarray(alpha))
    return result


def turned(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def clear_palette(image):
    indexed = image.quantize(32)
    return indexed, bytes([0, 128] + [255] * 30)


def gif_of_a_part(image):
    """A first frame that leaves some of the canvas uncovered."""
    content = bytearray(encode(image.quantize(16), "GIF"))
    content[6:10] = struct.pack("<HH", image.width + 13, image.height + 7)
    at = content.index(b",\0\0\0\0", 13)
    content[at + 1 : at + 5] = struct.pack("<HH", 5, 3)
    return bytes(content)


def wide(image, scale=257):
    """16 bits a sample whose high byte is the picture and whose low byte is not zero."""
    return np.asarray(image).astype(np.uint16) * 256 + (np.asarray(image).astype(np.uint16) * 7 + scale) % 256


def pictures():
    """(name, bytes, or with what is right where Pillow is wrong)"""
    base = drawing(60, 47, 1)
    grey = base.convert("L")
    frames = [drawing(52, 40, seed) for seed in (3, 4, 5)]
    yield "baseline-420.jpg", encode(drawing(300, 225, 2), "JPEG", quality=60, subsampling=2), None
    yield "baseline-444.jpg", encode(base, "JPEG", quality=90, subsampling=0), None
    yield "progressive.jpg", encode(base, "JPEG", quality=85, progressive=True), None
    yield "grey.jpg", encode(grey, "JPEG"), None
    yield "cmyk.jpg", encode(base.convert("CMYK"), "JPEG"), None
    yield "profile.jpg", encode(base, "JPEG", icc_profile=swapping_profile()), None
    for orientation in range(1, 9):
        small = drawing(40, 26, 7)
        yield f"exif-{orientation}.jpg", encode(small, "JPEG", exif=turned(small, orientation)), None
    yield "exif-6.webp", encode(base, "WEBP", exif=turned(base, 6)), None
    yield "exif-6.png", encode(base, "PNG", exif=turned(base, 6)), None
    yield "exif-6.tif", encode(base, "TIFF", tiffinfo={274: 6}, compression="tiff_lzw"), None
    yield "rgb.png", encode(base, "PNG"), None
    yield "rgba.png", encode(with_alpha(base), "PNG"), None
    yield "grey.png", encode(grey, "PNG"), None
    yield "grey-alpha.png", encode(with_alpha(base).convert("LA"), "PNG"), None
    indexed, clear = clear_palette(base)
    yield "palette.png", encode(indexed, "PNG"), None
    yield "palette-transparent.png", encode(indexed, "PNG", transparency=clear), None
    yield "key-colour.png", encode(base, "PNG", transparency=base.getpixel((3, 3))), None
    yield "1-bit.png", encode(base.convert("1"), "PNG"), None
    yield "interlaced.png", png(np.asarray(base), 2, interlaced=True), None
    yield "rgb-16.png", png(wide(base), 2), None
    # Pillow clips everything above 255 to white here.
    yield "grey-16.png", png(wide(grey)[..., None], 0), grey.convert("RGB")
    yield "lossy.webp", encode(base, "WEBP", quality=70), None
    yield "lossless.webp", encode(base, "WEBP", lossless=True), None
    yield "alpha.webp", encode(with_alpha(base), "WEBP", lossless=True, exact=True), None
    yield "lossy-alpha.webp", encode(with_alpha(base), "WEBP", quality=80, exact=True), None
    yield "animated.webp", encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=70), None
    yield "still.gif", encode(base, "GIF"), None
    yield "animated.gif", encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), None
    yield "transparent.gif", encode(indexed, "GIF", transparency=5), None
    yield "part.gif", gif_of_a_part(base), None
    yield "444.avif", encode(base, "AVIF", quality=80, subsampling="4:4:4"), None
    # Without colours: each decoder enlarges chroma of half the resolution in its own way.
    yield "420.avif", encode(grey.convert("RGB"), "AVIF", quality=70), None
    yield "deflated.tif", encode(base, "TIFF", compression="tiff_adobe_deflate"), None
    yield "grey.tif", encode(grey, "TIFF", compression="tiff_lzw"), None
    yield "cmyk.tif", encode(base.convert("CMYK"), "TIFF", compression="tiff_lzw"), None
    yield "pages.tif", encode(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw"), None
    for width, height in ((1, 1), (1, 5000), (5000, 1), (3, 2), (7, 10), (224, 224), (20, 2500)):
        noise = 0 if width * height > 10_000 else 12
        yield f"{width}x{height}.png", encode(drawing(width, height, 6, noise), "PNG", optimize=True), None


def swapping_profile():
    """A profile under which the picture would look different: Adobe RGB's curve and primaries would do as well."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def prepared(image, processor):
    result = processor(image, return_tensors="np", data_format="channels_last", input_data_format="channels_last")
    return result.pixel_values[0]


def reference(content, right):
    return right or ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")


def write_fixtures(folder):
    folder.mkdir(parents=True, exist_ok=True)
    golden = {}
    for name, content, right in pictures():
        (folder / name).write_bytes(content)
        image = reference(content, right)
        entry = {"width": image.width, "height": image.height}
        is_line = max(image.size) > 1000 * min(image.size)
        crops = {key: prepared(image, processor) for key, processor in PROCESSORS.items() if key != "clip" or not is_line}
        if is_line:
            crops["clip"] = stretched(image, 224)
        entry["sha256"] = {key: hashlib.sha256(crop.tobytes()).hexdigest() for key, crop in crops.items()}
        entry["middle"] = crops["clip"][112, 112].tolist()
        if name.endswith(".avif"):
            entry["small"] = base64.b64encode(crops["small"].tobytes()).decode()
        golden[name] = entry
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


def stretched(image, edge):
    """A line of pixels as transformers would, without the gigabytes that it takes there: the crop by Pillow's own `box`."""
    scale = edge / min(image.size)
    width, height = (int(edge * side / min(image.size)) for side in image.size)
    if image.width < image.height:
        image = image.resize((edge, image.height), Image.Resampling.BICUBIC)
    else:
        image = image.resize((image.width, edge), Image.Resampling.BICUBIC)
    left, top = (width - edge) // 2, (height - edge) // 2
    box = (left / scale, 0, (left + edge) / scale, edge) if width > height else (0, top / scale, edge, (top + edge) / scale)
    return np.asarray(image.resize((edge, edge), Image.Resampling.BICUBIC, box))


def kinds(image, seed):
    grey = image.convert("L")
    exif = turned(image, seed % 8 + 1)
    yield "jpeg 4:2:0.jpg", encode(image, "JPEG", quality=60 + seed % 40), None
    yield "jpeg 4:4:4.jpg", encode(image, "JPEG", quality=60 + seed % 40, subsampling=0), None
    yield "jpeg progressive exif.jpg", encode(image, "JPEG", quality=75, progressive=True, exif=exif), None
    yield "jpeg grey.jpg", encode(grey, "JPEG"), None
    yield "jpeg cmyk.jpg", encode(image.convert("CMYK"), "JPEG"), None
    yield "png rgb.png", encode(image, "PNG", compress_level=1), None
    if max(image.size) > 1500:
        return
    yield "png rgba.png", encode(with_alpha(image, seed), "PNG"), None
    yield "png palette.png", encode(image.quantize(200), "PNG", transparency=bytes(range(200))), None
    yield "png 16 bit.png", png(wide(image), 2), None
    yield "png 16 bit grey.png", png(wide(grey)[..., None], 0), grey.convert("RGB")
    yield "png interlaced.png", png(np.asarray(image), 2, interlaced=True), None
    yield "webp.webp", encode(image, "WEBP", quality=70), None
    yield "webp lossless.webp", encode(with_alpha(image, seed), "WEBP", lossless=True, exact=True), None
    yield "gif.gif", encode(image.quantize(64), "GIF", transparency=seed % 64), None
    yield "tiff.tif", encode(image, "TIFF", compression="tiff_lzw"), None
    yield "avif 4:4:4.avif", encode(image, "AVIF", quality=80, subsampling="4:4:4", speed=9), None
    yield "avif 4:2:0.avif", encode(image, "AVIF", quality=80, speed=9), None


SIZES = [(8000, 6000), (4000, 3000), (3000, 4000), (1600, 900), (1024, 768), (640, 480), (447, 671), (225, 300), (224, 224)]
SIZES += [(223, 500), (100, 75), (31, 57), (1400, 30), (17, 900)]


def write_many(folder):
    folder.mkdir(parents=True)
    index = []
    for seed, (width, height) in enumerate(SIZES):
        for kind, content, right in kinds(drawing(width, height, seed, noise=6), seed):
            stem, extension = kind.rsplit(".", 1)
            file = f"{len(index)}.{extension}"
            (folder / file).write_bytes(content)
            crop = prepared(reference(content, right), PROCESSORS["clip"])
            (folder / f"{file}.rgb").write_bytes(crop.tobytes())
            index.append({"file": file, "kind": stem})
    (folder / "index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--many"]:
        write_many(Path(sys.argv[2]))
    else:
        write_fixtures(Path(__file__).parent.parent / "test/fixtures/images")
