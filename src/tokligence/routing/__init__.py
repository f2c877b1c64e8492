"""Which upstream a request goes to. Pure: values in, decisions out."""
