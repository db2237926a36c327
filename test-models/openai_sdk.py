"""OpenAI's own Python SDK against a running service, and its subtitles read by pysrt and webvtt-py.

pip install openai pysrt webvtt-py
Arguments: URL, API key, a recording, its words, and `full_queue` while something else holds the service's only turn.
Prints one JSON line a check: {"name", "failure"}, failure null when it holds.
"""
import io
import json
import sys
import traceback

import openai
import pysrt
import webvtt

URL, KEY, PATH, WORDS = sys.argv[1:5]
IS_FULL = sys.argv[5:] == ["full_queue"]
MODEL = "whisper-base-int8"
MISSING_MODEL = "whisper-large-v3"
MAX_UPLOAD_BYTES = 1_000_000

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)


def create(format=None, **fields):
    if format is not None:
        fields["response_format"] = format
    with open(PATH, "rb") as file:
        return client.audio.transcriptions.create(**{"file": file, "model": MODEL, **fields})


def words(text):
    kept = "".join(c if c.isalnum() else " " for c in text.lower().replace("mr.", "mister"))
    return kept.split()


def seconds(time):
    return time.ordinal / 1000


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def near(got, expected):
    assert abs(got - expected) < 0.0011, f"got {got}, expected {expected}"


def transcribes_json():
    equal(words(create().text), words(WORDS))


def transcribes_text():
    equal(create("text"), create().text + "\n")


def transcribes_verbose_json():
    verbose = create("verbose_json", timestamp_granularities=["segment"])
    equal(type(verbose).__name__, "TranscriptionVerbose")
    equal(verbose.language, "english")
    equal(words(verbose.text), words(WORDS))
    equal("".join(segment.text for segment in verbose.segments).strip(), verbose.text)
    assert all(0 <= segment.start <= segment.end <= verbose.duration for segment in verbose.segments)
    equal(verbose.usage.type, "duration")


def gives_the_times_of_words():
    verbose = create("verbose_json", timestamp_granularities=["word"])
    equal(verbose.segments, None)
    equal(words(" ".join(word.word for word in verbose.words)), words(WORDS))
    times = [time for word in verbose.words for time in (word.start, word.end)]
    equal(times, sorted(times))
    assert 0 <= times[0] and times[-1] <= verbose.duration
    both = create("verbose_json", timestamp_granularities=["segment", "word"])
    equal(both.words, verbose.words)
    assert len(both.segments) > 0


def passes_on_every_field():
    strategy = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
    fields = {"language": "en", "prompt": "Sense and Sensibility", "temperature": 0, "chunking_strategy": strategy}
    equal(words(create(extra_body={"keep_alive": "5m"}, **fields).text), words(WORDS))


def srt_parses():
    verbose = create("verbose_json")
    cues = pysrt.from_string(create("srt"), error_handling=pysrt.ERROR_RAISE)
    equal([cue.index for cue in cues], [index + 1 for index in range(len(verbose.segments))])
    compare([(seconds(cue.start), seconds(cue.end), cue.text) for cue in cues], verbose.segments)


def vtt_parses():
    verbose = create("verbose_json")
    cues = webvtt.from_buffer(io.StringIO(create("vtt")))
    compare([(clock(cue.start), clock(cue.end), cue.text) for cue in cues], verbose.segments)


def clock(text):
    """webvtt-py's own `start_in_seconds` cuts the milliseconds off."""
    hours, minutes, rest = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def compare(cues, segments):
    equal(len(cues), len(segments))
    assert len(cues) > 0, "no cue"
    for (start, end, text), segment in zip(cues, segments):
        near(start, segment.start)
        near(end, segment.end)
        equal(text, segment.text.strip())


def translates():
    with open(PATH, "rb") as file:
        equal(words(client.audio.translations.create(file=file, model="whisper-1").text), words(WORDS))


def lists_and_retrieves_models():
    listed = list(client.models.list())
    assert MODEL in [model.id for model in listed], listed
    for model in listed:
        equal(client.models.retrieve(model.id), model)
    equal(client.models.retrieve("whisper-1").id, MODEL)


def raises(ask, kind, status, code, param, type):
    try:
        ask()
    except openai.APIStatusError as error:
        equal(error.__class__, kind)
        got = (error.status_code, error.code, error.param, error.type)
        equal(got, (status, code, param, type))
        assert error.request_id, "no request id"
        return error
    raise AssertionError("nothing was raised")


def bad_request():
    ask = lambda: create(temperature=7)
    raises(ask, openai.BadRequestError, 400, "invalid_request", "temperature", "invalid_request_error")


def wrong_key():
    ask = lambda: openai.OpenAI(base_url=f"{URL}/v1", api_key="nonsense", max_retries=0).models.list()
    raises(ask, openai.AuthenticationError, 401, "unauthorized", None, "authentication_error")


def unknown_model():
    for ask in (lambda: create(model="gpt-nonsense"), lambda: client.models.retrieve("gpt-nonsense")):
        raises(ask, openai.NotFoundError, 404, "model_not_found", "model", "invalid_request_error")


def too_large():
    for size in (MAX_UPLOAD_BYTES + 1, 30 * MAX_UPLOAD_BYTES):
        ask = lambda: create(file=("speech.mp3", bytes(size)))
        raises(ask, openai.APIStatusError, 413, "file_too_large", "file", "invalid_request_error")


def no_audio():
    ask = lambda: create(file=("speech.mp3", b"hello " * 100))
    raises(ask, openai.APIStatusError, 415, "unsupported_audio", "file", "invalid_request_error")


def model_not_installed():
    ask = lambda: create(model=MISSING_MODEL)
    raises(ask, openai.InternalServerError, 503, "model_not_installed", "model", "server_error")


def full_queue():
    """Holds while something else has the only turn."""
    error = raises(create, openai.RateLimitError, 429, "queue_full", None, "rate_limit_error")
    assert int(error.response.headers["retry-after"]) >= 1


CHECKS = [
    transcribes_json,
    transcribes_text,
    transcribes_verbose_json,
    gives_the_times_of_words,
    passes_on_every_field,
    srt_parses,
    vtt_parses,
    translates,
    lists_and_retrieves_models,
    bad_request,
    wrong_key,
    unknown_model,
    too_large,
    no_audio,
    model_not_installed,
]

for check in [full_queue] if IS_FULL else CHECKS:
    failure = None
    try:
        check()
    except Exception:
        failure = traceback.format_exc()
    print(json.dumps({"name": check.__name__.replace("_", " "), "failure": failure}), flush=True)
