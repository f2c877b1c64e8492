from anthropic import Anthropic

# Point to Tokligence Gateway
client = Anthropic(
    base_url="http://localhost:8081/anthropic",
    api_key="any-key"
)

# Use GPT models with Anthropic SDK!
response = client.messages.create(
    model="gpt-4",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello!"}]
)
