"""A tool call and its result: OpenAI's SDK and a Claude model.

pip install openai, start the gateway with an Anthropic key, then: python examples/tools.py
"""

import json

from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

client = OpenAI(base_url="http://localhost:8081/v1", api_key="any-key")
MODEL = "claude-sonnet-4-5-20250929"

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def weather(city: str) -> str:
    return f"18 degrees and sunny in {city}"


messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How is the weather in Rome?"}]
first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
asked = first.choices[0].message
messages.append(
    {
        "role": "assistant",
        "content": asked.content,
        "tool_calls": [call.to_dict() for call in asked.tool_calls or ()],  # type: ignore[typeddict-item]
    }
)
for call in asked.tool_calls or ():
    if call.type == "function":
        answer = weather(**json.loads(call.function.arguments))
        print(f"{call.function.name}({call.function.arguments}) -> {answer}")
        messages.append({"role": "tool", "tool_call_id": call.id, "content": answer})

last = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
print(last.choices[0].message.content)
