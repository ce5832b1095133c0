"""A description of an API, OpenAPI or AsyncAPI, without references."""

import os

import yaml


class Description:
    def __init__(self, path):
        self.folder = os.path.dirname(path)
        self.files = {}
        self.name = os.path.basename(path)
        self.top = self.resolved(self.file(self.name), self.name)

    def file(self, name):
        if name not in self.files:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                self.files[name] = yaml.safe_load(file)

        return self.files[name]

    def resolved(self, node, name):
        """The node, without "$ref": there is what it leads to."""

        if isinstance(node, list):
            return [self.resolved(one, name) for one in node]

        if not isinstance(node, dict):
            return node

        if "$ref" in node:
            target, _, pointer = node["$ref"].partition("#")
            target = target or name
            found = self.file(target)

            for key in pointer.strip("/").split("/"):
                found = found[key.replace("~1", "/").replace("~0", "~")]

            return self.resolved(found, target)

        return {key: self.resolved(one, name) for key, one in node.items()}
