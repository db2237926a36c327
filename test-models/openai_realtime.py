"""OpenAI's own Python SDK in a realtime transcription session of a running service.

pip install 'openai[realtime]'
Arguments: URL, model, a 16 kHz mono recording. Prints one JSON line: {"transcript", "deltas"}, or {"skip"}.
"""
import base64
import json
import sys
import wave

import openai

URL, MODEL, PATH = sys.argv[1:4]


def main():
    try:
        import websockets  # noqa: F401
    except ImportError:
        return {"skip": "the interpreter has no websockets"}
    client = openai.OpenAI(
        base_url=f"{URL}/v1", websocket_base_url=f"{URL.replace('http', 'ws')}/v1", api_key="none"
    )
    with wave.open(PATH) as recording:
        pcm = recording.readframes(recording.getnframes()) + bytes(32000)
    with client.realtime.connect(model=MODEL, extra_query={"intent": "transcription"}) as connection:
        connection.session.update(
            session={
                "type": "transcription",
                "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}},
            }
        )
        for start in range(0, len(pcm), 3200):
            connection.input_audio_buffer.append(
                audio=base64.b64encode(pcm[start : start + 3200]).decode()
            )
        deltas = ""
        for event in connection:
            if event.type == "error":
                raise RuntimeError(event.error.message)
            if event.type == "conversation.item.input_audio_transcription.delta":
                deltas += event.delta
            if event.type == "conversation.item.input_audio_transcription.completed":
                return {"transcript": event.transcript, "deltas": deltas}


print(json.dumps(main()))
