"""What the application's own services export: their latency, requests and errors."""
import numpy as np

from .gateway_view import GatewayView

EXPORTER = "app"


def export_services(scene):
    calls = {name: ([], [], []) for name in scene.deployment.services}
    for request in range(scene.requests.count):
        _collect(scene, request, calls)
    for name, (ends, durations, are_good) in calls.items():
        ends = np.array(ends)
        failures = ends[~np.array(are_good).astype(bool)]
        scraper = scene.scraper
        scraper.histogram(name, EXPORTER, scene.stack.service_latency, ends, np.array(durations))
        scraper.counter(name, EXPORTER, "http_requests_total", scene.totals(ends))
        scraper.counter(name, EXPORTER, "http_requests_5xx_total", scene.totals(failures),
                        has_history=False)
    if scene.stack.gateway_is_application:
        _export_gateway(scene)


def _collect(scene, request, calls):
    """Adds a request's calls: a service's latency holds that of the services that it waits for."""
    requests = scene.requests
    done = requests.done[request]
    if not np.isfinite(done):
        return
    is_answered = requests.status[request] == 200
    passed = {name: (begin, duration, is_ok)
              for name, begin, duration, is_ok in requests.service_calls[request]}
    for name, (begin, duration, is_ok) in passed.items():
        service = scene.deployment.services[name]
        if service.spans_whole_request:
            duration = done - requests.arrival[request]
            is_ok = is_answered
        else:
            waited_for = [passed[other] for other in service.waits_for if other in passed]
            duration = duration + sum(other_s for _, other_s, _ in waited_for)
            is_ok = is_ok and all(other_ok for _, _, other_ok in waited_for)
        if service.waits_for_llm and np.isfinite(requests.gateway_in[request]):
            duration = done - begin
            is_ok = is_ok and is_answered
        ends, durations, are_good = calls[name]
        ends.append(begin + duration)
        durations.append(duration)
        are_good.append(is_ok)


def _export_gateway(scene):
    gateway = GatewayView(scene)
    scene.scraper.histogram(gateway.component, EXPORTER, "http_request_duration_seconds",
                            *gateway.client_requests)
    scene.scraper.counter(gateway.component, EXPORTER, "http_requests_5xx_total",
                          gateway.num_requests(failed=True), has_history=False)
