"""The state that the Responses protocol expects of its server, kept here for upstreams that keep none."""
