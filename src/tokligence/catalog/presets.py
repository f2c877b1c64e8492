"""Vendors and servers that speak OpenAI's Chat Completions: where they are and how their dialect differs, as data.

A preset becomes a provider when its key is set, or, for a server on this machine, when a section [provider.ID] of the
configuration names it. Addresses and variables agree with github.com/anomalyco/models.dev (providers/*, commit
f3fc692, 2026-07-02) where a row names no other source; what a row says of a dialect was read 2026-11-25 at `source`.

Left at their defaults are: `max_tokens` as the field of the limit, which every one of them takes; role "system" in
place of "developer"; usage in streams asked for by `stream_options`. A vendor whose streams end with the usage
anyway is not asked, since some refuse the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from tokligence.catalog.models import Dialect


class Preset(Struct, frozen=True, kw_only=True):
    """One vendor. `base_url`: with its version, without a last slash. `variables`: the vendor's own environment
    variables for the key, in order of precedence; `shared`: they serve other tools too, so they are read only where a
    section names the preset. `local`: a server on this machine, which wants no key.
    `routes`: patterns of models that only this vendor makes; they match no name with a slash, which is how those who
    host others' models name them. `anthropic_url`: where the vendor answers Messages too, without the version."""

    id: str
    base_url: str
    source: str
    aliases: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    shared: bool = False
    local: bool = False
    routes: tuple[str, ...] = ()
    anthropic_url: str = ""
    dialect: Dialect = Dialect()


_COMPLETION_TOKENS: Final = Dialect(max_tokens_field="max_completion_tokens")
_CONTENT: Final = Dialect(reasoning_field="reasoning_content")
_DETAILS: Final = Dialect(reasoning_field="reasoning_details")
_USAGE_COMES: Final = Dialect(stream_usage=False)

PRESETS: Final[tuple[Preset, ...]] = (
    # --- who make models
    Preset(
        id="deepseek",
        base_url="https://api.deepseek.com",
        anthropic_url="https://api.deepseek.com/anthropic",
        variables=("DEEPSEEK_API_KEY",),
        routes=("deepseek*",),
        dialect=_CONTENT,  # a turn with tool calls must carry its reasoning_content
        source="api-docs.deepseek.com, guides/thinking_mode, guides/anthropic_api",
    ),
    Preset(
        id="mistral",
        base_url="https://api.mistral.ai/v1",
        variables=("MISTRAL_API_KEY",),
        routes=("mistral*", "ministral*", "magistral*", "codestral*", "devstral*", "pixtral*", "voxtral*"),
        dialect=_USAGE_COMES,  # 422 for stream_options.include_usage
        source="docs.mistral.ai/api; github.com/openai/openai-agents-python/issues/442",
    ),
    Preset(
        id="xai",
        base_url="https://api.x.ai/v1",
        aliases=("grok",),
        variables=("XAI_API_KEY",),
        routes=("grok*",),
        dialect=_COMPLETION_TOKENS,  # max_tokens is deprecated
        source="docs.x.ai/docs/api-reference",
    ),
    Preset(
        id="qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        anthropic_url="https://dashscope-intl.aliyuncs.com/apps/anthropic",
        aliases=("dashscope", "alibaba"),
        variables=("DASHSCOPE_API_KEY",),
        routes=("qwen*", "qwq*", "qvq*"),
        dialect=_CONTENT,
        source="alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope, anthropic-api-messages",
    ),
    Preset(
        id="qwen-cn",
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        anthropic_url="https://dashscope.aliyuncs.com/apps/anthropic",
        aliases=("dashscope-cn",),
        variables=("DASHSCOPE_API_KEY",),
        shared=True,  # a key of either region stands in the same variable
        dialect=_CONTENT,
        source="help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope",
    ),
    Preset(
        id="moonshot",
        base_url="https://api.moonshot.ai/v1",
        anthropic_url="https://api.moonshot.ai/anthropic",
        aliases=("kimi",),
        variables=("MOONSHOT_API_KEY",),
        routes=("kimi*", "moonshot*"),
        dialect=_CONTENT,  # a thinking model's turn with tool calls must carry its reasoning_content
        source="platform.kimi.ai/docs/api/chat",
    ),
    Preset(
        id="moonshot-cn",
        base_url="https://api.moonshot.cn/v1",
        anthropic_url="https://api.moonshot.cn/anthropic",
        aliases=("kimi-cn",),
        variables=("MOONSHOT_API_KEY",),
        shared=True,
        dialect=_CONTENT,
        source="platform.kimi.com/docs/api/chat",
    ),
    Preset(
        id="zai",
        base_url="https://api.z.ai/api/paas/v4",
        anthropic_url="https://api.z.ai/api/anthropic",
        variables=("ZAI_API_KEY",),
        routes=("glm*",),
        dialect=Dialect(
            stream_usage=False, reasoning_field="reasoning_content"
        ),  # the last chunk has the usage
        source="docs.z.ai/api-reference/llm/chat-completion, guides/capabilities/thinking-mode",
    ),
    Preset(
        id="zhipu",
        base_url="https://open.bigmodel.cn/api/paas/v4",
        anthropic_url="https://open.bigmodel.cn/api/anthropic",
        aliases=("bigmodel",),
        variables=("ZHIPUAI_API_KEY", "ZHIPU_API_KEY"),
        dialect=Dialect(stream_usage=False, reasoning_field="reasoning_content"),
        source="docs.bigmodel.cn/cn/guide/capabilities/thinking",
    ),
    Preset(
        id="minimax",
        base_url="https://api.minimax.io/v1",
        anthropic_url="https://api.minimax.io/anthropic",
        variables=("MINIMAX_API_KEY",),
        routes=("minimax*",),
        dialect=Dialect(max_tokens_field="max_completion_tokens", reasoning_field="reasoning_details"),
        source="platform.minimaxi.com/docs/api-reference/text-openai-api; ai-sdk.dev/providers/ai-sdk-providers/minimax",
    ),
    Preset(
        id="perplexity",
        base_url="https://api.perplexity.ai",
        variables=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        routes=("sonar*",),
        dialect=_USAGE_COMES,  # each chunk has the usage so far
        source="docs.perplexity.ai/guides/chat-completions-guide",
    ),
    Preset(
        id="cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        variables=("COHERE_API_KEY", "CO_API_KEY"),
        routes=("command*", "c4ai*"),
        source="docs.cohere.com/docs/compatibility-api",
    ),
    # --- who host models
    Preset(
        id="groq",
        base_url="https://api.groq.com/openai/v1",
        variables=("GROQ_API_KEY",),
        dialect=_COMPLETION_TOKENS,  # max_tokens is deprecated
        source="console.groq.com/docs/openai, docs/api-reference",
    ),
    Preset(
        id="cerebras",
        base_url="https://api.cerebras.ai/v1",
        variables=("CEREBRAS_API_KEY",),
        dialect=_COMPLETION_TOKENS,
        source="inference-docs.cerebras.ai/api-reference/chat-completions",
    ),
    Preset(
        id="openrouter",
        base_url="https://openrouter.ai/api/v1",
        anthropic_url="https://openrouter.ai/api",
        variables=("OPENROUTER_API_KEY",),
        dialect=_DETAILS,
        source="openrouter.ai/docs/guides/best-practices/reasoning-tokens, docs/api/api-reference/anthropic-messages",
    ),
    Preset(
        id="together",
        base_url="https://api.together.xyz/v1",
        aliases=("togetherai",),
        variables=("TOGETHER_API_KEY",),
        source="docs.together.ai/docs/openai-api-compatibility",
    ),
    Preset(
        id="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        aliases=("fireworks-ai",),
        variables=("FIREWORKS_API_KEY",),
        dialect=_CONTENT,
        source="docs.fireworks.ai/tools-sdks/openai-compatibility, guides/reasoning",
    ),
    Preset(
        id="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        aliases=("nim",),
        variables=("NVIDIA_API_KEY",),
        source="docs.api.nvidia.com/nim/reference/llm-apis",
    ),
    Preset(
        id="sambanova",
        base_url="https://api.sambanova.ai/v1",
        variables=("SAMBANOVA_API_KEY",),
        source="docs.sambanova.ai/docs/en/features/openai-compatibility",
    ),
    Preset(
        id="deepinfra",
        base_url="https://api.deepinfra.com/v1/openai",
        anthropic_url="https://api.deepinfra.com/anthropic",
        variables=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        source="docs.deepinfra.com/chat/reasoning, api-reference/chat-completions",
    ),
    Preset(
        id="nebius",
        base_url="https://api.tokenfactory.nebius.com/v1",
        variables=("NEBIUS_API_KEY",),
        source="docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion",
    ),
    Preset(
        id="novita",
        base_url="https://api.novita.ai/openai/v1",
        variables=("NOVITA_API_KEY",),
        source="novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
    ),
    Preset(
        id="siliconflow",
        base_url="https://api.siliconflow.com/v1",
        variables=("SILICONFLOW_API_KEY",),
        dialect=_CONTENT,
        source="docs.siliconflow.com/en/api-reference/chat-completions/chat-completions",
    ),
    Preset(
        id="baseten",
        base_url="https://inference.baseten.co/v1",
        variables=("BASETEN_API_KEY",),
        source="docs.baseten.co/reference/inference-api/chat-completions",
    ),
    Preset(
        id="scaleway",
        base_url="https://api.scaleway.ai/v1",
        variables=("SCALEWAY_API_KEY",),
        source="scaleway.com/en/docs/generative-apis/how-to/query-reasoning-models",
    ),
    Preset(
        id="huggingface",
        base_url="https://router.huggingface.co/v1",
        aliases=("hf",),
        variables=("HF_TOKEN",),
        shared=True,  # also downloads models
        source="huggingface.co/docs/inference-providers/en/tasks/chat-completion",
    ),
    Preset(
        id="github",
        base_url="https://models.github.ai/inference",
        aliases=("github-models",),
        variables=("GITHUB_TOKEN",),
        shared=True,  # also writes to repositories
        source="docs.github.com/en/rest/models/inference",
    ),
    Preset(
        id="vercel",
        base_url="https://ai-gateway.vercel.sh/v1",
        anthropic_url="https://ai-gateway.vercel.sh",
        variables=("AI_GATEWAY_API_KEY",),
        dialect=_DETAILS,
        source="vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions, anthropic-messages-api",
    ),
    # --- who only embed and rerank
    Preset(
        id="jina",
        base_url="https://api.jina.ai/v1",
        variables=("JINA_API_KEY",),
        routes=("jina-*",),
        source="jina.ai/embeddings, jina.ai/reranker",
    ),
    Preset(
        id="voyage",
        base_url="https://api.voyageai.com/v1",
        variables=("VOYAGE_API_KEY",),
        routes=("voyage-*",),
        source="docs.voyageai.com/reference/embeddings-api, reference/reranker-api",
    ),
    # --- servers on this machine
    Preset(
        id="ollama",
        base_url="http://localhost:11434/v1",
        anthropic_url="http://localhost:11434",
        variables=("OLLAMA_API_KEY",),
        shared=True,  # of the vendor's cloud
        local=True,
        source="docs.ollama.com/openai, api/anthropic-compatibility",
    ),
    Preset(
        id="vllm",
        base_url="http://localhost:8000/v1",
        anthropic_url="http://localhost:8000",
        variables=("VLLM_API_KEY",),
        shared=True,
        local=True,
        source="docs.vllm.ai/en/latest/serving/openai_compatible_server",
    ),
    Preset(
        id="lmstudio",
        base_url="http://localhost:1234/v1",
        anthropic_url="http://localhost:1234",
        aliases=("lm-studio",),
        variables=("LMSTUDIO_API_KEY",),
        shared=True,
        local=True,
        source="lmstudio.ai/docs/developer/openai-compat, anthropic-compat",
    ),
    Preset(
        id="llamacpp",
        base_url="http://localhost:8080/v1",
        anthropic_url="http://localhost:8080",
        aliases=("llama-cpp",),
        variables=("LLAMA_API_KEY",),
        shared=True,
        local=True,
        dialect=_CONTENT,
        source="github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
    ),
)

PRESET: Final[Mapping[str, Preset]] = MappingProxyType(
    {name: preset for preset in PRESETS for name in (preset.id, *preset.aliases)}
)
"""Every id and alias -> the preset."""

SETTING_KEYS: Final = ("api_key", "base_url")
"""What can be set of a preset without a section, as the setting ID_KEY (TOKLIGENCE_ID_KEY)."""


def setting_of(preset: Preset, key: str = "") -> str:
    """The short name of what makes the preset usable, or of its `key`: "groq_api_key"."""
    key = key or ("base_url" if preset.local else "api_key")
    return f"{preset.id.replace('-', '_')}_{key}"


SETTINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {setting_of(preset, key): (preset.id, key) for preset in PRESETS for key in SETTING_KEYS}
)
"""Short name -> id of the preset and key of its section."""
