"""Drawings that clip-shapes learns and is tested on: one to three shapes of one kind and one colour. No other people's pictures.

A drawing is made from its own seed, so that any of them can be drawn again: `example(scene, size, seed)`.
"""
import colorsys
import io
import math
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Hue in degrees, saturation and value, each as a range.
COLOURS = {
    "red": ((-8, 6), (0.8, 1), (0.7, 1)),
    "orange": ((25, 34), (0.85, 1), (0.9, 1)),
    "yellow": ((51, 59), (0.8, 1), (0.9, 1)),
    "green": ((100, 145), (0.65, 1), (0.45, 0.85)),
    "blue": ((208, 235), (0.7, 1), (0.6, 1)),
    "purple": ((272, 292), (0.6, 1), (0.5, 0.85)),
}
SHAPES = ["circle", "square", "triangle", "star", "heart"]
COUNTS = [1, 2, 3]
POSITIONS = ["left", "right", "top", "bottom", "centre"]
# Radius of a shape as a part of the picture's side, by how many there are; the one of a position leaves room to be aside.
RADII = {1: (0.14, 0.36), 2: (0.125, 0.23), 3: (0.115, 0.19)}
ASIDE_RADII = (0.13, 0.22)


@dataclass(frozen=True)
class Scene:
    """What a drawing shows. `position` is None where the place says nothing (anywhere, or several shapes)."""

    colour: str
    shape: str
    count: int
    position: str | None = None


def scenes():
    return [Scene(colour, shape, count) for colour in COLOURS for shape in SHAPES for count in COUNTS]


def placed_scenes():
    return [Scene(colour, shape, 1, position) for colour in COLOURS for shape in SHAPES for position in POSITIONS]


def never_trained(scene):
    """13 of the 90 combinations, spread so that each colour, shape and count is seen in others."""
    place = list(COLOURS).index(scene.colour) + 2 * SHAPES.index(scene.shape) + 3 * COUNTS.index(scene.count)
    return place % 7 == 3


def draw(scene, size, random, wear=True):
    """An RGB picture [size × size]: background, shapes, now and then an outline and, with `wear`, a blur, noise, a JPEG's marks."""
    scale = 3 if size <= 128 else 2
    fill = random_colour(COLOURS[scene.colour], random)
    image = background(size * scale, fill, random)
    canvas = ImageDraw.Draw(image)
    outline = random.choice([(0, 0, 0), (255, 255, 255), tuple(part // 2 for part in fill)]) if random.random() < 0.2 else None
    for x, y, radius in places(scene, random):
        points = [(px * size * scale, py * size * scale) for px, py in outline_of(scene.shape, x, y, radius, random)]
        canvas.polygon(points, fill=fill)
        if outline:
            canvas.line(points + points[:2], fill=outline, width=max(1, round(size * scale * 0.012)), joint="curve")
    image = image.resize((size, size), Image.Resampling.BOX)
    return worn(image, random) if wear else image


def random_colour(ranges, random):
    hue, saturation, value = (random.uniform(*limits) for limits in ranges)
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value))


def background(side, fill, random):
    """White, grey, black, pale or dark, flat or shaded; never near the colour of the shapes."""
    first = contrasting(fill, random)
    if random.random() < 0.6:
        return Image.new("RGB", (side, side), first)
    second = tuple(max(0, min(255, part + random.randint(-40, 40))) for part in first)
    ramp = Image.linear_gradient("L").rotate(random.choice([0, 90, 180, 270])).resize((side, side))
    return Image.composite(Image.new("RGB", (side, side), second), Image.new("RGB", (side, side), first), ramp)


def contrasting(fill, random):
    while True:
        kind = random.random()
        if kind < 0.35:
            colour = (random.randint(240, 255),) * 3
        elif kind < 0.5:
            colour = (random.randint(0, 30),) * 3
        elif kind < 0.65:
            colour = (random.randint(60, 220),) * 3
        elif kind < 0.9:
            colour = random_colour(((0, 360), (0.05, 0.3), (0.85, 1)), random)
        else:
            colour = random_colour(((0, 360), (0.1, 0.5), (0.1, 0.35)), random)
        if math.dist(colour, fill) > 130:
            return colour


def places(scene, random):
    """Centre and radius of each shape, as parts of the side: inside the picture, apart from each other."""
    if scene.position:
        radius = random.uniform(*ASIDE_RADII)
        return [(*aside(scene.position, radius, random), radius)]
    while True:
        found = []
        for _ in range(scene.count):
            radius = random.uniform(*RADII[scene.count])
            x, y = (random.uniform(radius + 0.02, 0.98 - radius) for _ in range(2))
            if all(math.dist((x, y), other[:2]) > radius + other[2] + 0.03 for other in found):
                found.append((x, y, radius))
        if len(found) == scene.count:
            return found


def aside(position, radius, random):
    """Far along one axis and near the middle of the other; the centre is near the middle of both."""
    if position == "centre":
        return random.uniform(0.44, 0.56), random.uniform(0.44, 0.56)
    far, near = random.uniform(radius + 0.02, 0.31), random.uniform(0.38, 0.62)
    far = 1 - far if position in ("right", "bottom") else far
    return (far, near) if position in ("left", "right") else (near, far)


def outline_of(shape, x, y, radius, random):
    turn = math.radians(random.uniform(-16, 16))
    if shape == "circle":
        corners = [(math.cos(angle), math.sin(angle)) for angle in steps(48)]
    elif shape == "square":
        corners = [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]
    elif shape == "triangle":
        corners = [(math.sin(angle), 0.15 - math.cos(angle)) for angle in steps(3)]
    elif shape == "star":
        corners = [((0.42, 1)[i % 2 == 0] * math.sin(a), -(0.42, 1)[i % 2 == 0] * math.cos(a)) for i, a in enumerate(steps(10))]
    else:
        corners = [heart_point(angle) for angle in steps(48)]
    return [
        (x + radius * (px * math.cos(turn) - py * math.sin(turn)), y + radius * (px * math.sin(turn) + py * math.cos(turn)))
        for px, py in corners
    ]


def steps(count):
    return [2 * math.pi * index / count for index in range(count)]


def heart_point(angle):
    """The well-known curve of sines and cosines, brought into the unit circle."""
    y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
    return math.sin(angle) ** 3, -(y + 2.5) / 15


def worn(image, random):
    """What happens to pictures on their way: a little blur, noise, a JPEG."""
    if random.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.012) * image.width))
    if random.random() < 0.3:
        noise = np.random.default_rng(random.getrandbits(32)).normal(0, random.uniform(2, 14), (*image.size, 3))
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    if random.random() < 0.4:
        data = io.BytesIO()
        image.save(data, "JPEG", quality=random.randint(45, 95))
        image = Image.open(data).convert("RGB")
    return image


def example(scene, size, seed, wear=True):
    """The drawing of a seed (a text); the seeds of training and of the held-out sheets begin otherwise."""
    return draw(scene, size, Random(seed), wear)
