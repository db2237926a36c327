"""OpenAI's own Python SDK and pydantic against the routes of language models; values judged by jsonschema, too.

pip install openai jsonschema
Arguments: URL, model, a JSON file {name: schema}.
Prints one JSON line a check: {"name", "failure"}, failure null when it holds.
"""
import json
import sys
import traceback
import urllib.request
from typing import Literal, Optional

import jsonschema
import openai
from pydantic import BaseModel, Field

URL, MODEL, SCHEMAS = sys.argv[1:4]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)


def ask(content, **fields):
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}], **fields)


class Address(BaseModel):
    city: str = Field(max_length=16)
    zip: Optional[str] = Field(max_length=8)


class Person(BaseModel):
    name: str = Field(max_length=20)
    mood: Literal["glad", "sad"]
    addresses: list[Address] = Field(max_length=2)


class GetWeather(BaseModel):
    """The weather of a city."""

    city: str = Field(max_length=20)


def parses_pydantic_models():
    completion = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Invent a person."}],
        response_format=Person,
        temperature=0,
        max_tokens=300,
    )
    assert isinstance(completion.choices[0].message.parsed, Person), completion


def parses_arguments_of_tools():
    completion = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "How is the weather in Rome?"}],
        tools=[openai.pydantic_function_tool(GetWeather)],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=200,
    )
    (call,) = completion.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, GetWeather), call


def streams():
    chunks = list(ask("Name three animals.", stream=True, max_tokens=20, temperature=0, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    whole = ask("Name three animals.", max_tokens=20, temperature=0).choices[0].message.content
    assert text == whole, (text, whole)
    assert chunks[-1].usage.completion_tokens > 0


def raises_for_bad_schemas():
    try:
        ask("x", response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "text"}}})
    except openai.BadRequestError as error:
        assert error.code == "invalid_schema", error
    else:
        raise AssertionError("no error")


def answers_schemas():
    with open(SCHEMAS) as file:
        schemas = json.load(file)
    for name, schema in schemas.items():
        body = {"model": MODEL, "prompt": f"An example of {name}.", "schema": schema, "temperature": 1, "max_tokens": 400}
        request = urllib.request.Request(
            f"{URL}/structured-generate", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        try:
            value = json.load(urllib.request.urlopen(request))["value"]
        except urllib.error.HTTPError as error:
            assert error.code == 422, (name, error.read())
            continue
        # jsonschema divides doubles, so 0.07 is no multiple of 0.01 to it.
        without = json.loads(json.dumps(schema), object_hook=lambda it: {k: v for k, v in it.items() if k != "multipleOf"})
        jsonschema.validate(value, without, jsonschema.Draft202012Validator)


for check in [parses_pydantic_models, parses_arguments_of_tools, streams, raises_for_bad_schemas, answers_schemas]:
    failure = None
    try:
        check()
    except BaseException:
        failure = traceback.format_exc()
    print(json.dumps({"name": check.__name__, "failure": failure}), flush=True)
