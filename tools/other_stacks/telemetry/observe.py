"""Looks at a simulated window through all exporters of its stack."""
from .containers import (draw_memory_limits, export_containers, export_kubernetes,
                         export_opentelemetry_pods)
from .engines import export_engines
from .gateways import export_gateway, export_latency_90
from .gpus import export_gpus
from .machines import machines_of
from .nodes import export_nodes
from .scene import Scene
from .scraper import Scraper
from .services import export_services


def observe(stack, simulation, disturbance, culprit, rng):
    """The Scraper with the window's columns. culprit: the broken component, or None."""
    scraper = Scraper(rng, simulation.seconds, stack.scrape_s, stack.view)
    if disturbance.kind == "scrape_gap":
        end = disturbance.begin + disturbance.length_s
        scraper.gaps[disturbance.place] = [(disturbance.begin, end)]
    limits = draw_memory_limits(rng, stack)
    scene = Scene(stack, simulation, rng, scraper, disturbance, culprit, limits, {})
    scene.machines = machines_of(scene)
    if stack.has_containers:
        export_containers(scene)
    if stack.has_kubernetes:
        export_kubernetes(scene)
    if stack.has_nodes:
        export_nodes(scene)
    if stack.has_opentelemetry_pods:
        export_opentelemetry_pods(scene)
    export_gpus(scene)
    export_engines(scene)
    export_gateway(scene)
    if stack.services:
        export_services(scene)
    if stack.has_latency_90:
        export_latency_90(scene)
    return scraper
