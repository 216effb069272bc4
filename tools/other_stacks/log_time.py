"""Times as log files show them."""
import time


def log_time(unix_s):
    """UTC, to the millisecond, cut."""
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_s))
    return f"{text}.{int((unix_s % 1) * 1000):03d}"
