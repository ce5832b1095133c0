"""Compares answers of a bus with docs/openapi.yaml, both ways.

A line of the file is an answer: {"path", "method", "status", "headers", "body"},
the path as the description has it, the body of a stream left out.  Prints a line
for each that is not as described, and one for whatever the description has and
no answer had: a status, a header, a type of body.
"""

import json
import sys

import jsonschema_rs

from description import Description

# what nginx itself sends with any answer
OF_NGINX = {"server", "date", "content-type", "content-length", "connection",
            "transfer-encoding", "keep-alive"}

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def parsed(schema, text):
    """The value that a header's text is to its schema."""

    if schema.get("type") == "integer":
        try:
            return int(text)
        except ValueError:
            pass

    return text


class Answers:
    def __init__(self, top):
        self.paths = top["paths"]
        self.missing = {}
        self.complaints = []

        for path, item in self.paths.items():
            for method in METHODS:
                for status, response in self.responses(path, method).items():
                    self.missing.update(dict.fromkeys(
                        self.parts(path, method, status, response)))

    def responses(self, path, method):
        return self.paths[path].get(method, {}).get("responses", {})

    def parts(self, path, method, status, response):
        """What there is to see of a response."""

        name = (path, method.upper(), status)

        yield name
        yield from (name + ("header", one.lower())
                    for one in response.get("headers", {}))
        yield from (name + ("type", one) for one in response.get("content", {}))

    def complain(self, answer, text):
        self.complaints.append("%s %s: %s: %s" % (
            answer["method"], answer["path"], answer["status"], text))

    def saw(self, *part):
        self.missing.pop(part, None)

    def check(self, answer):
        path, method, status = (
            answer["path"], answer["method"].lower(), str(answer["status"]))

        if method not in self.paths[path]:
            return self.check_method(answer)

        response = self.responses(path, method).get(status)

        if response is None:
            return self.complain(answer, "is not described")

        self.saw(path, method.upper(), status)
        self.check_headers(answer, response)
        self.check_body(answer, response.get("content", {}))

    def check_method(self, answer):
        """Of a method that the path has not."""

        allowed = sorted(one.upper() for one in METHODS
                         if one in self.paths[answer["path"]])
        found = ", ".join(answer["headers"].get("allow", []))

        if answer["status"] != 405:
            self.complain(answer, "the method is not described")

        elif sorted(found.split(", ")) != allowed:
            self.complain(answer, "Allow is %s" % found)

    def check_headers(self, answer, response):
        described = {name.lower(): one
                     for name, one in response.get("headers", {}).items()}

        for name, values in answer["headers"].items():
            if name in OF_NGINX:
                continue

            if name not in described:
                self.complain(answer, "%s is not described" % name)
                continue

            self.saw(answer["path"], answer["method"], str(answer["status"]),
                     "header", name)

            schema = described[name]["schema"]

            for value in values:
                self.validate(answer, name, schema, parsed(schema, value))

        for name, one in described.items():
            if one.get("required") and name not in answer["headers"]:
                self.complain(answer, "%s is not there" % name)

    def check_body(self, answer, content):
        kind = answer["headers"].get("content-type", [""])[0]
        name = kind.partition(";")[0]

        if answer["method"] == "HEAD" or answer.get("body") == "":
            if answer.get("body"):
                self.complain(answer, "has a body")

            # that of an event is empty, that of a batch is not

            elif (content and answer["method"] != "HEAD"
                  and answer["status"] != 201):
                self.complain(answer, "has no body")

            return

        if name not in content:
            self.complain(answer, "%s is not described" % (kind or "a body"))
            return

        self.saw(answer["path"], answer["method"], str(answer["status"]),
                 "type", name)

        if "body" in answer:
            body = answer["body"]

            if name == "application/json":
                body = json.loads(body)

            self.validate(answer, "body", content[name]["schema"], body)

    def validate(self, answer, what, schema, value):
        for error in jsonschema_rs.validator_for(schema).iter_errors(value):
            self.complain(answer, "%s: %s: %s" % (
                what, json.dumps(value)[:500], error.message))


def main(path, file):
    answers = Answers(Description(path).top)
    count = 0

    with open(file, encoding="utf-8") as lines:
        for line in lines:
            answers.check(json.loads(line))
            count += 1

    for complaint in dict.fromkeys(answers.complaints):
        print(complaint)

    for part in answers.missing:
        print("not seen:", *part)

    print("answers:", count)
    sys.exit(bool(answers.complaints or answers.missing))
