from openai import OpenAI

# Point to Tokligence Gateway
client = OpenAI(
    base_url="http://localhost:8081/v1",
    api_key="any-key"  # Gateway handles the actual API keys
)

# Use Claude models with OpenAI SDK!
response = client.chat.completions.create(
    model="claude-sonnet-4-5-20250929",
    messages=[{"role": "user", "content": "Hello!"}]
)
