"""How the clouds that resell models want to be spoken to: signatures, tokens, framing. Pure; the time is an argument."""
