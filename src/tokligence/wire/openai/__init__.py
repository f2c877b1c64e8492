"""What OpenAI's two protocols share: schemas, errors, tiers, the list of models, files in data URLs."""
