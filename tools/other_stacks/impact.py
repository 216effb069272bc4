"""What users felt of a fault: their requests before the onset against those after it."""
import numpy as np

FELT_RATIO_MIN = 1.3
BEFORE_S = 300
REQUESTS_MIN = 8
HUNG_S = 20     # a request without an answer after this counts as failed


def user_impact(simulation, replica=None, service=None):
    """The worst ratio, during over before, and what it was taken from (s, shares, counts).

    Looks at the requests that passed the replica or service, at all where none is named. The ratio
    is that of a median or 90th percentile of latency or time to first token (client's view), 1.3
    plus the share of failed requests where 5 points more than before fail, or 1.5 where the gateway
    saw a replica fail often. 0 when too few requests came before.
    """
    requests = simulation.requests
    onset = simulation.fault.onset
    arrival = requests.arrival
    is_done = requests.is_done
    is_seen = _seen(simulation, replica, service)
    before = is_seen & (arrival > onset - BEFORE_S) & (arrival < onset - 3) & is_done
    during = is_seen & (arrival >= onset)
    done = during & is_done
    hung = during & ~is_done & (simulation.seconds - arrival > HUNG_S)
    if before.sum() < REQUESTS_MIN:
        return 0, {}
    felt = {}
    ratio = 0
    is_ok = requests.status == 200
    for name, values in (("e2e", requests.done - arrival),
                         ("ttft", requests.client_first_token - arrival)):
        for percent in (50, 90):
            was = _percentile(values, before & is_ok, percent)
            became = _percentile(values, done & is_ok, percent)
            felt[f"{name}_p{percent}"] = [was, became]
            if was > 0 and not np.isnan(became):
                ratio = max(ratio, became / was)
    failed_before = (~is_ok[before]).mean()
    failed = ((~is_ok[done]).sum() + hung.sum()) / max(1, (done | hung).sum())
    felt["failed"] = [float(failed_before), float(failed)]
    if failed > failed_before + 0.05:
        ratio = max(ratio, FELT_RATIO_MIN + failed)
    if replica is not None:
        times = [time for time, where, _ in simulation.gateway.errors if where == replica]
        errors_before = sum(onset - BEFORE_S < time < onset for time in times)
        errors = sum(time >= onset for time in times)
        felt["gateway_errors"] = [errors_before, errors]
        if errors >= 4 and errors > 3 * errors_before + 2:
            ratio = max(ratio, 1.5)
    return ratio, felt


def _seen(simulation, replica, service):
    requests = simulation.requests
    if service:
        return np.array([any(call[0] == service for call in calls)
                         for calls in requests.service_calls], bool)
    if replica is None:
        return np.ones(requests.count, bool)
    roles = simulation.deployment.roles
    if roles and roles[replica] == "decode":
        return (requests.decode_replica == replica) | (requests.decode_replica < 0)
    return requests.replica == replica


def _percentile(values, mask, percent):
    if (mask & np.isfinite(values)).sum() <= 3:
        return np.nan
    return float(np.nanpercentile(values[mask], percent))
