"""What a description of the HTTP API cannot say, for schemathesis."""

import json

import schemathesis
from hypothesis import strategies
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)


# a batch: an event a line

event = strategies.one_of(
    strategies.lists(strategies.integers(), max_size=3),
    strategies.dictionaries(strategies.text(max_size=5), strategies.booleans(),
                            max_size=3))

schemathesis.openapi.format("events", strategies.lists(
    event.map(json.dumps), min_size=1, max_size=3).map("\n".join))


@schemathesis.serializer("application/x-ndjson")
def serialize(context, value):
    # what is no text is to be refused, and an object would be an event
    return value.encode() if isinstance(value, str) else b"no events"


# To wait for the newest first is refused, though no parameter is wrong by
# itself; and a name of a list has its own length.

@schemathesis.hook
def filter_case(context, case):
    query = case.query or {}
    names = str(query.get("channels", "")).split(",")

    return (not (str(query.get("sort")) == "-1" and "wait" in query)
            and max(map(len, names)) <= 255)


# the 201 of an event has no body, that of a batch has one

@schemathesis.check
def documented_body(context, response, case):
    if response.status_code == 201 and not response.content:
        return None

    content_type_conformance(context, response, case)
    return response_schema_conformance(context, response, case)
