"""Both directions as streams: each vendor's SDK prints the other's model word by word.

pip install openai anthropic, start the gateway with both keys, then: python examples/streams.py
"""

from anthropic import Anthropic
from openai import OpenAI

GATEWAY = "http://localhost:8081"

openai = OpenAI(base_url=f"{GATEWAY}/v1", api_key="any-key")
anthropic = Anthropic(base_url=f"{GATEWAY}/anthropic", api_key="any-key")

chunks = openai.chat.completions.create(
    model="claude-sonnet-4-5-20250929",
    messages=[{"role": "user", "content": "Hello!"}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in chunks:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
    if chunk.usage:
        print(f"\n[{chunk.usage.prompt_tokens} tokens in, {chunk.usage.completion_tokens} out]")

with anthropic.messages.stream(
    model="gpt-4", max_tokens=1024, messages=[{"role": "user", "content": "Hello!"}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
    usage = stream.get_final_message().usage
    print(f"\n[{usage.input_tokens} tokens in, {usage.output_tokens} out]")
