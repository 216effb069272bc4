"""deploy/ and the manifests of `culprit inject --backend kubernetes` against deploy/schemas, and what no
schema says: selectors that select, ports that exist, counters that the signatures know."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

CULPRIT = os.environ["CULPRIT"]
DEPLOY = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"]) / "deploy"
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
         "boolean": bool, "null": type(None)}

PLAN = """
name: everything that Chaos Mesh can do
faults:
- {kind: cpu_stress, target: ray-replicas-0, duration: 60, workers: 16}
- {kind: memory_hog, target: ray-replicas-0, duration: 60, megabytes: 8000}
- {kind: disk_io, target: ray-replicas-1, duration: 60}
- {kind: network_delay, target: ray-replicas-1, duration: 90s, milliseconds: 1000}
- {kind: network_loss, target: ray-head, duration: 60, percent: 12.5}
- {kind: network_bandwidth, target: ray-replicas-2, duration: 1.5m}
- {kind: process_kill, target: ray-replicas-2}
- {kind: process_pause, target: ray-replicas-2}
- {kind: tokenizer_slow, target: ray-replicas-2}
- {kind: upstream_unknown, target: nginx-proxy}
- {kind: gpu_power_cap, target: ray-replicas-2, watts: 150}
"""


def problems(value, schema, where="") -> list:
    """What a schema of the few keywords used here has against a value."""
    allowed = schema.get("type")
    allowed = [allowed] if isinstance(allowed, str) else allowed or []
    fits = [name for name in allowed if isinstance(value, TYPES[name]) and
            (name == "boolean" or not isinstance(value, bool))]
    if allowed and not fits:
        return [f"{where}: expected {' or '.join(allowed)}, found {value!r}"]
    found = []
    if value is not None and "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, int) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            found.append(f"{where}: {value} is out of range")
    if isinstance(value, dict):
        found += [f"{where}: {key} is missing" for key in schema.get("required", []) if key not in value]
        for key, inner in value.items():
            known = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            if known is False:
                found.append(f"{where}: no field {key}")
            else:
                found += problems(inner, known, f"{where}.{key}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += problems(inner, schema.get("items", {}), f"{where}[{index}]")
    return found


def manifests():
    for path in sorted(DEPLOY.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


def schema(name):
    return json.loads((DEPLOY / "schemas" / f"{name}.json").read_text(encoding="utf-8"))


def pod_templates():
    for _, document in manifests():
        space = document["metadata"].get("namespace") if "metadata" in document else None
        if document["kind"] == "Deployment":
            yield space, document["spec"]["template"]
        if document["kind"] == "RayService":
            cluster = document["spec"]["rayClusterConfig"]
            for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
                yield space, group["template"]


class Deploy(unittest.TestCase):
    def test_every_manifest_keeps_its_schema(self):
        count = 0
        for name, document in manifests():
            self.assertEqual(problems(document, schema(document["kind"]), f"{name}: {document['kind']}"), [])
            count += 1
        self.assertGreater(count, 15)

    def test_the_check_finds_a_misplaced_field(self):
        broken = next(d for _, d in manifests() if d["kind"] == "RayService")
        broken["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["image"] = "ray"
        self.assertTrue(problems(broken, schema("RayService")))

    def test_kustomization_names_every_file(self):
        listed = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())["resources"]
        there = sorted(path.name for path in DEPLOY.glob("*.yaml") if path.name != "kustomization.yaml")
        self.assertEqual(sorted(listed), there)

    def test_selectors_select_and_ports_exist(self):
        pods = [(space, template["metadata"]["labels"], {
            port["name"] for container in template["spec"]["containers"] for port in container["ports"]})
            for space, template in pod_templates()]
        checked = 0
        for name, document in manifests():
            kind, spec = document["kind"], document.get("spec", {})
            if kind == "Service":
                selector, ports = spec["selector"], [port["targetPort"] for port in spec["ports"]]
            elif kind == "PodMonitor":
                selector = spec["selector"]["matchLabels"]
                ports = [endpoint["port"] for endpoint in spec["podMetricsEndpoints"]]
            else:
                continue
            chosen = [names for space, labels, names in pods if space == document["metadata"]["namespace"]
                      and selector.items() <= labels.items()]
            self.assertTrue(chosen, f"{name}: {kind} {document['metadata']['name']} selects no pod")
            for names in chosen:
                self.assertLessEqual(set(ports), names, name)
            checked += 1
        self.assertGreaterEqual(checked, 5)

    def test_components_are_named_as_in_the_local_testbed(self):
        apps = {template["metadata"]["labels"]["app"] for space, template in pod_templates() if space == "ray"}
        self.assertEqual(apps, {"nginx-proxy", "ray-head", "ray-replicas-0", "ray-replicas-1", "ray-replicas-2"})
        for space, template in pod_templates():
            if space == "ray":  # fault injection names the container after the component
                self.assertEqual(template["spec"]["containers"][0]["name"], template["metadata"]["labels"]["app"])

    def test_the_cards_report_what_the_testbed_records(self):
        counters = next(d for n, d in manifests() if n == "dcgm-counters.yaml")["data"]["culprit.csv"]
        rows = [line.split(", ") for line in counters.strip().splitlines()]
        self.assertTrue(all(len(row) == 3 and row[1] in ("gauge", "counter") for row in rows))
        source = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"], "culprit/testbed/recorder.cpp").read_text()
        recorded = set(re.findall(r'"(DCGM_FI_\w+)"', source))
        self.assertGreater(len(recorded), 5)
        self.assertLessEqual(recorded, {row[0] for row in rows})

    def test_values_files_are_yaml_maps(self):
        for path in DEPLOY.glob("values/*.yaml"):
            self.assertIsInstance(yaml.safe_load(path.read_text()), dict, path.name)


class ChaosMesh(unittest.TestCase):
    def render(self, plan):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(plan)
            file.flush()
            return subprocess.run([CULPRIT, "inject", file.name, "--backend", "kubernetes"],
                                  capture_output=True, text=True, timeout=60)

    def test_every_manifest_has_the_fields_of_the_api(self):
        done = self.render(PLAN)
        self.assertEqual(done.returncode, 0, done.stderr)
        kinds = schema("chaos-mesh")["kinds"]
        seen = set()
        for document in yaml.safe_load_all(done.stdout):
            self.assertEqual(document["apiVersion"], "chaos-mesh.org/v1alpha1")
            self.assertEqual(problems(document["spec"], kinds[document["kind"]], document["kind"]), [])
            self.assertIn("duration", document["spec"], "it must end without a second command")
            self.assertRegex(document["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
            seen.add(document["kind"])
        self.assertEqual(seen, set(kinds))
        self.assertIn("nvidia-smi", done.stderr)

    def test_the_study_s_defects_are_refused_by_the_fields(self):
        kinds = schema("chaos-mesh")["kinds"]
        stress = {"mode": "one", "selector": {"namespaces": ["ray"], "containerNames": ["ray-head"]}}
        self.assertTrue(problems(stress, kinds["StressChaos"]))
        memory = {"mode": "one", "selector": {}, "stressors": {"memory": {"workers": 1, "size": "8GB", "time": "60s"}}}
        self.assertTrue(problems(memory, kinds["StressChaos"]))


if __name__ == "__main__":
    unittest.main()
