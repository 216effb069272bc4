"""What happens to requests between the engines' ticks, in order of time."""
import heapq

# Kinds, in the order in which events of the same time are handled.
REACHES_ENGINE = 1      # place: replica
KV_ARRIVES = 3          # place: replica that decodes
IS_FORWARDED = 7
CALLS_SERVICE = 8       # place: position in the request's path
REACHES_GATEWAY = 9


class Events:
    """A queue of (time in s, kind, request, place)."""

    def __init__(self):
        self._heap = []

    def add(self, time, kind, request, place=0):
        heapq.heappush(self._heap, (time, kind, request, place))

    def before(self, end):
        """Takes out and yields what is due, also what is added meanwhile."""
        while self._heap and self._heap[0][0] < end:
            yield heapq.heappop(self._heap)
