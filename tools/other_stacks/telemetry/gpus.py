"""GPU exporters: DCGM, nvidia-smi, Ray's, OpenTelemetry's, a dashboard."""
import dataclasses

import numpy as np

CLOCK_MAX_MHZ = {700: 1980, 400: 1410, 350: 2520, 300: 1695, 320: 1965}   # by rated power, W
REASON_POWER = 4
REASON_HEAT = 0x20


@dataclasses.dataclass
class GpuReading:
    """What the driver says, [second]."""
    clock_mhz: np.ndarray
    power_w: np.ndarray
    temperature_c: np.ndarray
    utilisation_percent: np.ndarray
    memory_mib: np.ndarray
    memory_bandwidth: np.ndarray
    power_limit_w: np.ndarray
    throttle_reasons: np.ndarray


def export_gpus(scene):
    export = EXPORTERS.get(scene.stack.gpu_exporter)
    for index, component in scene.numbered_replicas:
        reading = _read(scene, index)
        if export:
            export(scene, index, component, reading)


def _read(scene, index):
    rng = scene.rng
    seconds = scene.seconds
    series = scene.series
    rated_w = scene.deployment.gpu_watts
    clock_max = CLOCK_MAX_MHZ[rated_w]
    step_mhz = 15
    clock = (np.round((series.clock[:, index] * clock_max) / step_mhz) * step_mhz
             - step_mhz * (rng.random(seconds) < 0.03))
    power_w = series.power_w[:, index] * rng.normal(1, 0.02, seconds)
    temperature_c = np.round(series.temperature_c[:, index] + rng.normal(0, 0.3, seconds))
    is_capped = ((series.clock[:, index] < 0.97)
                 & (np.diff(series.power_violation_s[:, index], prepend=0) > 0))
    is_hot = np.diff(series.thermal_violation_s[:, index], prepend=0) > 0
    return GpuReading(
        clock_mhz=clock, power_w=power_w, temperature_c=temperature_c,
        utilisation_percent=np.round(series.utilisation[:, index] * 100),
        memory_mib=rated_w * 90 * series.is_up[:, index] + 400,
        memory_bandwidth=series.memory_bandwidth[:, index] * rng.normal(1, 0.04, seconds),
        power_limit_w=np.round(series.power_cap_w[:, index]),
        throttle_reasons=np.where(is_capped, REASON_POWER, 0) + np.where(is_hot, REASON_HEAT, 0))


def _gauges(scene, component, values):
    for name, value in values.items():
        scene.scraper.gauge(component, "gpu", name, value)


def _dcgm(scene, _, component, reading):
    _gauges(scene, component, {
        "DCGM_FI_DEV_SM_CLOCK": reading.clock_mhz,
        "DCGM_FI_DEV_MEM_CLOCK": scene.constant(2619),
        "DCGM_FI_DEV_GPU_TEMP": reading.temperature_c,
        "DCGM_FI_DEV_POWER_USAGE": reading.power_w,
        "DCGM_FI_DEV_GPU_UTIL": reading.utilisation_percent,
        "DCGM_FI_DEV_MEM_COPY_UTIL": np.round(reading.memory_bandwidth * 100),
        "DCGM_FI_DEV_FB_USED": np.round(reading.memory_mib),
        "DCGM_FI_DEV_XID_ERRORS": np.zeros(scene.seconds)})
    scene.scraper.counter(component, "gpu", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
                          np.cumsum(reading.power_w * 1000))


def _dcgm_profiling(scene, index, component, reading):
    """With limits, reasons, violations (µs) and profiling fields besides."""
    _dcgm(scene, index, component, reading)
    series = scene.series
    _gauges(scene, component, {
        "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": reading.power_limit_w,
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": reading.throttle_reasons})
    for name, total_s in (("POWER", series.power_violation_s), ("THERMAL",
                                                                series.thermal_violation_s)):
        scene.scraper.counter(component, "gpu", f"DCGM_FI_DEV_{name}_VIOLATION",
                              total_s[:, index] * 1e6, has_history=False)
    _gauges(scene, component, {"DCGM_FI_PROF_DRAM_ACTIVE": reading.memory_bandwidth})


def _nvidia_smi(scene, _, component, reading):
    fan = np.clip((reading.temperature_c - 30) / 60, 0.3, 1)
    if scene.fault.kind == "gpu_thermal" and component == scene.culprit:
        fan = np.where(scene.since_onset, 0.0, fan)
    _gauges(scene, component, {
        "nvidia_smi_clocks_current_sm_clock_hz": reading.clock_mhz * 1e6,
        "nvidia_smi_power_draw_watts": reading.power_w,
        "nvidia_smi_temperature_gpu": reading.temperature_c,
        "nvidia_smi_utilization_gpu_ratio": reading.utilisation_percent / 100,
        "nvidia_smi_memory_used_bytes": reading.memory_mib * 2 ** 20,
        "nvidia_smi_enforced_power_limit_watts": reading.power_limit_w,
        "nvidia_smi_clocks_throttle_reasons_active": reading.throttle_reasons,
        "nvidia_smi_fan_speed_ratio": fan})


def _ray(scene, _, component, reading):
    _gauges(scene, component, {
        "ray_node_gpus_utilization": reading.utilisation_percent,
        "ray_node_gram_used": reading.memory_mib * 2 ** 20,
        "DCGM_FI_DEV_SM_CLOCK": reading.clock_mhz,
        "DCGM_FI_DEV_POWER_USAGE": reading.power_w,
        "DCGM_FI_DEV_GPU_TEMP": reading.temperature_c})


def _opentelemetry(scene, _, component, reading):
    _gauges(scene, component, {
        "hw.gpu.utilization": reading.utilisation_percent / 100,
        "hw.gpu.memory.utilization": reading.memory_mib / (scene.deployment.gpu_watts * 115),
        "hw.power": reading.power_w,
        "hw.temperature": reading.temperature_c,
        "hw.gpu.clock_frequency": reading.clock_mhz * 1e6})


def _dashboard(scene, _, component, reading):
    _gauges(scene, component, {
        "GPU power (W)": reading.power_w,
        "GPU temperature (C)": reading.temperature_c,
        "GPU clock (MHz)": reading.clock_mhz,
        "GPU utilization (%)": reading.utilisation_percent})


EXPORTERS = {"dcgm": _dcgm, "dcgm_profiling": _dcgm_profiling, "nvidia_smi": _nvidia_smi,
             "ray": _ray, "opentelemetry": _opentelemetry, "dashboard": _dashboard}
