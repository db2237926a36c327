"""What is said of a drawing: whole captions, captions that tell a part, and which captions are true of which drawing."""
from dataclasses import dataclass

from draw import COLOURS, COUNTS, POSITIONS, SHAPES

COUNT_WORDS = {1: ["a", "a", "one", ""], 2: ["two", "two", "2"], 3: ["three", "three", "3"]}
PLACES = {
    "left": ["on the left", "on the left side", "at the left"],
    "right": ["on the right", "on the right side", "at the right"],
    "top": ["at the top", "on the top"],
    "bottom": ["at the bottom", "on the bottom"],
    "centre": ["in the centre", "in the center", "in the middle"],
}
# The ones that zero-shot users bring; each also ends in a full stop now and then.
TEMPLATES = [
    "{}",
    "a drawing of {}",
    "a picture of {}",
    "a photo of {}",
    "this is a photo of {}",
    "an image of {}",
    "this is {}",
    "a picture with {}",
    "we see {}",
]


@dataclass(frozen=True)
class Caption:
    """A text and what it claims; None claims nothing."""

    text: str
    colour: str | None
    shape: str | None
    count: int | None
    position: str | None


def prompt(scene):
    """The plain prompt of a scene, as in the tests: "two blue squares", "a red star on the left"."""
    article = "an" if scene.count == 1 and scene.colour == "orange" else COUNT_WORDS[scene.count][0]
    noun = scene.shape + ("s" if scene.count > 1 else "")
    place = f" {PLACES[scene.position][0]}" if scene.position else ""
    return f"{article} {scene.colour} {noun}{place}"


def caption(scene, random):
    """A caption that is true of the scene, in one of many wordings; one in six leaves the colour, the shape or the count out."""
    colour, shape, count, position = scene.colour, scene.shape, scene.count, scene.position
    if position and random.random() < 0.15:
        position = None
    part = random.choice(["colour", "shape"] if position else ["colour", "shape", "count"]) if random.random() < 1 / 6 else None
    colour = None if part == "colour" else colour
    noun = "shape" if part == "shape" else shape
    if part == "count":
        words = [colour, noun if count == 1 else random.choice([noun, noun + "s"])]
    else:
        first = random.choice(COUNT_WORDS[count])
        words = ["an" if first == "a" and colour == "orange" else first, colour, noun + ("s" if count > 1 else "")]
    if position:
        words.append(random.choice(PLACES[position]))
    text = random.choice(TEMPLATES).format(" ".join(word for word in words if word))
    text += "." if random.random() < 0.15 else ""
    return Caption(text, colour, None if part == "shape" else shape, None if part == "count" else count, position)


def claims(colour, shape, count, position):
    """A caption's or a drawing's content as four numbers; 0 is "nothing said"."""
    return [number(list(COLOURS), colour), number(SHAPES, shape), number(COUNTS, count), number(POSITIONS, position)]


def number(values, value):
    return 0 if value is None else values.index(value) + 1


def truths(told, shown):
    """[drawings × captions] of booleans, from the claims of captions and the contents of drawings (tensors of four numbers a row).

    A caption that tells a place is true only of drawings made for that place, and is not held against those made for none.
    """
    told, shown = told[None], shown[:, None]
    agrees = (told == 0) | (told == shown)
    agrees[..., 3] |= shown[..., 3] == 0
    return agrees.all(-1)
