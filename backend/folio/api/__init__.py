"""The HTTP service. Routes parse, call and render; the rules live below them."""
