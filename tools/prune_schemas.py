#!/usr/bin/env python3
"""Cuts the published schemas down to what deploy/ uses, for tools/check_deploy.py.

    prune_schemas.py KUBERNETES_SCHEMAS KUBERAY_CRD

KUBERNETES_SCHEMAS: the folder v1.29.0-local-strict of the Python package kubernetes-validate.
KUBERAY_CRD: config/crd/bases/ray.io_rayservices.yaml of KubeRay 1.2.2.

A published schema has up to a megabyte; of each only the fields that some manifest has are kept, with
their types, enumerations and required fields. What is not kept is refused by the check: to use a new
field, run this again.
"""
import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent / "deploy"
KEPT = ("type", "enum", "format", "pattern", "minimum", "maximum", "required")
NOT_OURS = {"PodMonitor", "Kustomization"}  # no package carries them; written down by hand


def documents(folder: pathlib.Path):
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


def resolve(schema: dict, folder: pathlib.Path) -> dict:
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if not hasattr(resolve, "definitions"):
            resolve.definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
        schema = resolve.definitions[name]
    return schema


def pruned(schema: dict, values: list, folder: pathlib.Path) -> dict:
    schema = resolve(schema, folder)
    result = {key: schema[key] for key in KEPT if key in schema}
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string" or any(
            option.get("type") in ("integer", "number") for option in schema.get("anyOf", []) +
            schema.get("oneOf", [])):
        return {"type": ["integer", "string"]}
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    if objects and "properties" in schema:
        result["properties"] = {
            key: pruned(schema["properties"][key], [o[key] for o in objects if key in o], folder)
            for key in sorted({key for o in objects for key in o}) if key in schema["properties"]}
        result["additionalProperties"] = False
    elif objects and isinstance(schema.get("additionalProperties"), dict):
        inner = [value for o in objects for value in o.values()]
        result["additionalProperties"] = pruned(schema["additionalProperties"], inner, folder)
    if lists:
        result["items"] = pruned(schema["items"], [v for items in lists for v in items], folder)
    return result


def source_of(kind: str, version: str, folder: pathlib.Path, crd: dict) -> dict:
    if kind == "RayService":
        served = next(v for v in crd["spec"]["versions"] if v["name"] == "v1")
        return served["schema"]["openAPIV3Schema"]
    group = version.split("/")[0].split(".")[0] + "-" if "/" in version else ""
    name = f"{kind.lower()}-{group}{version.split('/')[-1]}.json"
    return json.loads((folder / name).read_text(encoding="utf-8"))


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    crd = yaml.safe_load(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
    by_kind: dict = {}
    for _, document in documents(ROOT):
        by_kind.setdefault((document["kind"], document["apiVersion"]), []).append(document)
    for (kind, version), values in sorted(by_kind.items()):
        if kind in NOT_OURS:
            continue
        schema = pruned(source_of(kind, version, folder, crd), values, folder)
        # A custom resource's own schema says nothing about metadata, the API server does.
        if kind == "RayService":
            schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
        text = json.dumps(schema, indent=1)
        text = re.sub(r"\n\s*([\]}])", r"\1", text)
        (ROOT / "schemas" / f"{kind}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
