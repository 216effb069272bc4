#include "culprit/testbed/accelerator.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace culprit::testbed {
namespace {

constexpr std::size_t file_bytes = 4096;
constexpr double power_exponent = 2.5;
constexpr double celsius_per_watt = 0.095;    // 560 W at 30 C ambient settle at 83 C
constexpr double heat_seconds = 15;           // time constant of the heat sink
constexpr double smoothing_seconds = 1;       // DCGM's utilisation covers about a second
constexpr double tokens_full_activity = 400;  // prompt tokens per busy second that saturate

constexpr std::uint64_t reason_idle = 0x1;
constexpr std::uint64_t reason_power_cap = 0x4;
constexpr std::uint64_t reason_thermal = 0x20;

double busy_power(double ratio, double activity) {
    return AcceleratorModel::idle_watts +
           (AcceleratorModel::busy_watts_max - AcceleratorModel::idle_watts) * activity *
               std::pow(ratio, power_exponent);
}

double ratio_at_power(double watts, double activity) {
    const double dynamic =
        (AcceleratorModel::busy_watts_max - AcceleratorModel::idle_watts) * activity;
    const double share = (watts - AcceleratorModel::idle_watts) / dynamic;
    return share <= 0 ? 0 : std::pow(share, 1 / power_exponent);
}

}  // namespace

void AcceleratorModel::step(const AcceleratorWork& work, const AcceleratorConditions& conditions) {
    if (work.seconds <= 0) return;
    const double busy = std::clamp(work.busy_seconds / work.seconds, 0.0, 1.0);
    const double blend = std::min(1.0, work.seconds / smoothing_seconds);
    smoothed_busy_ += blend * (busy - smoothed_busy_);
    const double prompt_rate =
        work.busy_seconds > 0 ? work.prompt_tokens / work.busy_seconds / tokens_full_activity : 0;
    const double activity = 0.75 + 0.25 * std::min(1.0, prompt_rate);

    const double power_ratio = ratio_at_power(conditions.power_limit_watts, activity);
    if (temperature_ > slowdown_celsius)
        thermal_ratio_ -= 0.05 * work.seconds * (temperature_ - slowdown_celsius);
    else
        thermal_ratio_ += 0.02 * work.seconds;
    thermal_ratio_ = std::clamp(thermal_ratio_, ratio_min, 1.0);
    ratio_ = std::clamp(std::min(power_ratio, thermal_ratio_), ratio_min, 1.0);

    const double power = idle_watts + smoothed_busy_ * (busy_power(ratio_, activity) - idle_watts);
    const double settled =
        conditions.ambient_celsius + celsius_per_watt * power / conditions.cooling;
    temperature_ += std::min(1.0, work.seconds / heat_seconds) * (settled - temperature_);

    reading_.utilisation_percent = 100 * smoothed_busy_;
    reading_.tensor_active = smoothed_busy_ * (activity - 0.6) * ratio_;
    reading_.dram_active = 0.55 * smoothed_busy_ * ratio_;
    reading_.power_watts = power;
    reading_.energy_millijoules += 1000 * power * work.seconds;
    // An idle card drops its clock; the cap applies to the busy clock.
    reading_.sm_clock_mhz =
        clock_max_mhz * (smoothed_busy_ < 0.01 ? std::min(ratio_, 0.6) : ratio_);
    reading_.memory_clock_mhz = 2619;
    reading_.temperature_celsius = temperature_;
    reading_.power_limit_watts = conditions.power_limit_watts;
    reading_.clock_event_reasons = smoothed_busy_ < 0.01 ? reason_idle : 0;
    if (power_ratio < 1 && power_ratio <= thermal_ratio_ && busy > 0) {
        reading_.clock_event_reasons |= reason_power_cap;
        reading_.power_violation_ns += 1e9 * work.seconds * (1 - ratio_) * busy;
    }
    if (thermal_ratio_ < 1 && thermal_ratio_ < power_ratio) {
        reading_.clock_event_reasons |= reason_thermal;
        reading_.thermal_violation_ns += 1e9 * work.seconds * (1 - ratio_) * busy;
    }
}

Result<AcceleratorFile> AcceleratorFile::open(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot open {}: {}", path, std::strerror(errno)));
    struct stat status {};
    fstat(file, &status);
    const bool fresh = status.st_size < static_cast<off_t>(file_bytes);
    if (fresh && ftruncate(file, file_bytes) != 0) {
        close(file);
        return fail(ErrorCode::io_failure, fmt::format("cannot size {}", path));
    }
    void* memory = mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return fail(ErrorCode::io_failure, fmt::format("cannot map {}", path));
    AcceleratorFile result(std::shared_ptr<std::byte>(
        static_cast<std::byte*>(memory), [](std::byte* bytes) { munmap(bytes, file_bytes); }));
    if (result.number(Field::power_limit_watts) == 0) {
        const AcceleratorConditions defaults;
        result.set_number(Field::clock_ratio, 1.0);
        result.set_number(Field::ambient_celsius, defaults.ambient_celsius);
        result.set_number(Field::cooling, defaults.cooling);
        result.set_number(Field::power_limit_watts, defaults.power_limit_watts);
    }
    return result;
}

std::int64_t AcceleratorFile::integer(Field field) const {
    std::int64_t value = 0;
    std::memcpy(&value, memory_.get() + static_cast<std::size_t>(field), sizeof value);
    return value;
}
double AcceleratorFile::number(Field field) const {
    double value = 0;
    std::memcpy(&value, memory_.get() + static_cast<std::size_t>(field), sizeof value);
    return value;
}
void AcceleratorFile::set_integer(Field field, std::int64_t value) {
    std::memcpy(memory_.get() + static_cast<std::size_t>(field), &value, sizeof value);
}
void AcceleratorFile::set_number(Field field, double value) {
    std::memcpy(memory_.get() + static_cast<std::size_t>(field), &value, sizeof value);
}

AcceleratorConditions AcceleratorFile::conditions() const {
    return {.power_limit_watts = number(Field::power_limit_watts),
            .ambient_celsius = number(Field::ambient_celsius),
            .cooling = number(Field::cooling)};
}

}  // namespace culprit::testbed
