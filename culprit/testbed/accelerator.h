#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// What one accelerator reports under DCGM exporter's names.
struct AcceleratorReading {
    double utilisation_percent = 0;
    double tensor_active = 0;  ///< share of time that work on prompts or sequences kept it busy
    double dram_active = 0;
    double power_watts = 0;
    double energy_millijoules = 0;
    double sm_clock_mhz = 0;
    double memory_clock_mhz = 0;
    double temperature_celsius = 0;
    double power_limit_watts = 0;
    std::uint64_t clock_event_reasons = 0;
    double power_violation_ns = 0;
    double thermal_violation_ns = 0;
};

/// What the engine did since the last step of the model.
struct AcceleratorWork {
    double seconds = 0;       ///< length of the interval
    double busy_seconds = 0;  ///< of it, inside engine steps
    double prompt_tokens = 0;
    double decode_tokens = 0;
};

/// What a fault may change about an accelerator.
struct AcceleratorConditions {
    double power_limit_watts = 700;
    double ambient_celsius = 30;
    double cooling = 1.0;  ///< 1 = as built; 0.5 = half the heat carried off at a temperature
};

/// An emulated accelerator: clock, power and heat of a 700 W card driven by an engine's work.
///
///   power while busy at clock ratio f:  P(f) = P_idle + (P_max - P_idle) a f^2.5, a = activity
///   power cap:      f <= the largest ratio with P(f) <= limit
///   heat:           tau dT/dt = T_ambient + R P / cooling - T
///   thermal cap:    f falls by 5 % per second above the slowdown temperature, recovers by 2 %
///
/// Reported power is the mean over busy and idle time; utilisation is the busy share. Ratios stay
/// in [0.15, 1]. The constants describe no product; they make the signals move in the directions
/// and order that NVIDIA's documentation gives (a cap lowers power and clocks while temperature
/// falls; heat rises before clocks fall).
class AcceleratorModel {
public:
    void step(const AcceleratorWork& work, const AcceleratorConditions& conditions);
    const AcceleratorReading& reading() const { return reading_; }
    double clock_ratio() const { return ratio_; }

    static constexpr double clock_max_mhz = 1980;
    static constexpr double idle_watts = 75;
    static constexpr double busy_watts_max = 560;
    static constexpr double slowdown_celsius = 87;
    static constexpr double ratio_min = 0.15;

private:
    AcceleratorReading reading_;
    double ratio_ = 1;
    double thermal_ratio_ = 1;
    double temperature_ = 45;
    double smoothed_busy_ = 0;
};

/// The shared file through which engine, agent and injector talk about one accelerator. Every field
/// is 8 bytes, written whole; testbed/device.py repeats the layout.
class AcceleratorFile {
public:
    enum class Field : std::uint16_t {
        busy_ns = 8,
        steps = 16,
        tokens = 24,
        decode_tokens = 32,
        kv_tokens = 40,
        step_begin_ns = 48,
        engine_pid = 56,
        clock_ratio = 128,
        max_num_seqs = 256,
        kv_blocks_held = 264,
        stuck = 272,
        tokenizer_delay_us = 280,
        log_lines_per_s = 288,
        batched_tokens = 296,
        power_limit_watts = 512,  ///< doubles from here
        ambient_celsius = 520,
        cooling = 528,
    };

    /// Maps the file, creating it with the default conditions if there is none.
    static Result<AcceleratorFile> open(const std::string& path);

    std::int64_t integer(Field field) const;
    double number(Field field) const;
    void set_integer(Field field, std::int64_t value);
    void set_number(Field field, double value);
    AcceleratorConditions conditions() const;

private:
    explicit AcceleratorFile(std::shared_ptr<std::byte> memory) : memory_(std::move(memory)) {}
    std::shared_ptr<std::byte> memory_;
};

}  // namespace culprit::testbed
