"""What a gateway knows about the requests of its clients and about its own to the replicas."""
import numpy as np

EXPORTER = "gw"


class GatewayView:
    """Client requests (end, duration, status; in order of arrival) and attempts (begin is left out:
    end, replica, duration, status; in order of ending). Times in s."""

    def __init__(self, scene):
        requests = scene.requests
        gateway = scene.simulation.gateway
        self.scene = scene
        self.component = scene.stack.gateway
        attempts = gateway.attempts
        self.attempt_end = np.array([begin + duration for begin, _, duration, _ in attempts])
        self.attempt_replica = np.array([replica for _, replica, _, _ in attempts], int)
        self.attempt_s = np.array([duration for _, _, duration, _ in attempts])
        self.attempt_status = np.array([status for *_, status in attempts], int)
        answered = np.isfinite(requests.gateway_in) & np.isfinite(requests.done)
        self.end = requests.done[answered]
        self.duration_s = (requests.done - requests.gateway_in)[answered]
        self.own_s = requests.gateway_wait_s[answered]
        self.status = requests.status[answered]
        self.num_active = scene.series.gateway_active
        self.num_queued = scene.series.gateway_queued
        self.num_open = self.num_active + self.num_queued
        self.loses_upstream = scene.fault.kind == "upstream_lost"
        ejects = self.loses_upstream and scene.fault.manifestation.is_ejected
        self.is_ejected = scene.since_onset * 1.0 if ejects else np.zeros(scene.seconds)
        self.num_healthy = scene.series.is_up.sum(1) - self.is_ejected
        self.reloads = self._reloads()

    def _reloads(self):
        """[second], 1 while the configuration is reloaded, a harmless event."""
        scene = self.scene
        event = scene.disturbance
        if event.kind != "reload":
            return np.zeros(scene.seconds)
        return 1.0 * ((scene.second >= event.begin) & (scene.second < event.begin + 3))

    @property
    def client_requests(self):
        return self.end, self.duration_s

    @property
    def client_requests_ms(self):
        return self.end, self.duration_s * 1000

    @property
    def attempts(self):
        return self.attempt_end, self.attempt_s

    @property
    def attempts_ms(self):
        return self.attempt_end, self.attempt_s * 1000

    def num_requests(self, failed=False):
        """Running total [second]."""
        return self.scene.totals(self.end[self.status != 200] if failed else self.end)

    def num_requests_with(self, status):
        return self.scene.totals(self.end[self.status == status])

    def num_attempts(self, replica=None, failed=False, status=None):
        """Running total [second]."""
        is_counted = np.ones(len(self.attempt_end), bool)
        if replica is not None:
            is_counted &= self.attempt_replica == replica
        if failed:
            is_counted &= self.attempt_status != 200
        if status is not None:
            is_counted &= self.attempt_status == status
        return self.scene.totals(self.attempt_end[is_counted])

    def attempts_of(self, replica):
        is_own = self.attempt_replica == replica
        return self.attempt_end[is_own], self.attempt_s[is_own]

    def gauge(self, name, values):
        self.scene.scraper.gauge(self.component, EXPORTER, name, values)

    def counter(self, name, total):
        self.scene.scraper.counter(self.component, EXPORTER, name, total)

    def error_counter(self, name, total):
        """Errors are few: nothing is made up about those before the window."""
        self.scene.scraper.counter(self.component, EXPORTER, name, total, has_history=False)

    def histogram(self, name, observations):
        self.scene.scraper.histogram(self.component, EXPORTER, name, *observations)

    def replica_gauge(self, exporter, replica, name, values):
        self.scene.scraper.gauge(self.scene.stack.replicas[replica], exporter, name, values)

    def replica_counter(self, exporter, replica, name, total, **options):
        self.scene.scraper.counter(self.scene.stack.replicas[replica], exporter, name, total,
                                   **options)

    def replica_histogram(self, exporter, replica, name, observations):
        self.scene.scraper.histogram(self.scene.stack.replicas[replica], exporter, name,
                                     *observations)
