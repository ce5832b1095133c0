"""Compares a running bus with a description of its API:

    client.py run docs/openapi.yaml --url URL     schemathesis itself
    client.py streams docs/asyncapi.yaml URL      streams.py
    client.py answers docs/openapi.yaml FILE      answers.py
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))

if sys.argv[1] == "streams":
    import streams

    streams.main(*sys.argv[2:])

elif sys.argv[1] == "answers":
    import answers

    answers.main(*sys.argv[2:])

else:
    os.environ["SCHEMATHESIS_HOOKS"] = "hooks"

    from schemathesis.cli import schemathesis

    sys.argv[1:1] = ["--config-file", os.path.join(here, "schemathesis.toml")]
    schemathesis()
