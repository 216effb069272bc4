#include "culprit/tailored/experience.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "culprit/tailored/features.h"

namespace culprit {
namespace {

using Json = nlohmann::json;

Result<ConfirmedIncident> parse_line(const std::string& line, const std::string& place) {
    try {
        const Json json = Json::parse(line);
        ConfirmedIncident incident{.name = json.at("name").get<std::string>(),
                                   .component = json.at("component").get<std::string>(),
                                   .fault = json.at("fault").get<std::string>()};
        for (const auto& [signal, value] : json.at("signals").items()) {
            const auto numbers = value.get<std::vector<double>>();
            if (numbers.size() != 3)
                return fail(ErrorCode::malformed_data,
                            fmt::format("{}: signals.{}: expected [up, down, extreme], found {}",
                                        place, signal, value.dump()));
            for (const double number : numbers)
                if (!(number >= 0.0 && number <= 1.0))
                    return fail(
                        ErrorCode::malformed_data,
                        fmt::format("{}: signals.{}: expected numbers from 0 to 1, found {}", place,
                                    signal, value.dump()));
            incident.signals[signal] = {
                {.up = numbers[0], .down = numbers[1], .flat = 1.0 - numbers[0] - numbers[1]},
                numbers[2]};
        }
        return incident;
    } catch (const Json::exception& error) {
        return fail(
            ErrorCode::malformed_data,
            fmt::format("{}: expected a confirmed incident, found {}", place, error.what()));
    }
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

void Experience::add(const ConfirmedIncident& incident) {
    ++num_incidents_;
    ++confirmed_[incident.fault];
    for (const auto& [signal, seen] : incident.signals) {
        Counts& counts = counts_[incident.fault][signal];
        counts.seen += 1.0;
        counts.up += seen.state.up;
        counts.down += seen.state.down;
        counts.extreme += seen.extreme * (seen.state.up + seen.state.down);
    }
}

const Experience::Counts* Experience::counts(const std::string& fault,
                                             const std::string& signal) const {
    const auto of_fault = counts_.find(fault);
    if (of_fault == counts_.end()) return nullptr;
    const auto found = of_fault->second.find(signal);
    return found == of_fault->second.end() ? nullptr : &found->second;
}

std::size_t Experience::num_confirmed(const std::string& fault) const {
    const auto found = confirmed_.find(fault);
    return found == confirmed_.end() ? 0 : found->second;
}

Result<std::vector<ConfirmedIncident>> Experience::read(const std::string& path) {
    std::ifstream in(path);
    if (!in)
        return fail(ErrorCode::missing_input,
                    fmt::format("{}: expected a file of confirmed incidents, found none", path));
    std::vector<ConfirmedIncident> incidents;
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        if (line.empty()) continue;
        CULPRIT_TRY(ConfirmedIncident incident,
                    parse_line(line, fmt::format("{}:{}", path, number)));
        incidents.push_back(std::move(incident));
    }
    return incidents;
}

std::string Experience::to_json_line(const ConfirmedIncident& incident) {
    nlohmann::ordered_json signals = nlohmann::ordered_json::object();
    for (const auto& [signal, seen] : incident.signals)
        signals[signal] = {rounded(seen.state.up), rounded(seen.state.down), rounded(seen.extreme)};
    const nlohmann::ordered_json json = {{"name", incident.name},
                                         {"component", incident.component},
                                         {"fault", incident.fault},
                                         {"signals", std::move(signals)}};
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<ConfirmedIncident> confirm(const Incident& incident, const std::string& name,
                                  const std::string& component, const std::string& fault,
                                  const FaultLibrary& library, const Stop& stop) {
    const FaultSignature* known = library.find(fault);
    if (known == nullptr)
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected the id of a known fault, found \"{}\"", fault));
    const auto windows = tailored::windows_of(incident);
    CULPRIT_TRY(auto features, tailored::features_of(incident, Catalogue::builtin(), stop, 0));
    CULPRIT_TRY(const tailored::Observations seen,
                tailored::observe(std::move(features), incident.metrics, windows, stop, 0));
    ConfirmedIncident confirmed{.name = name, .component = component, .fault = fault};
    if (known->scope == FaultScope::all && component.empty()) {
        for (const tailored::PeerGroup& group : seen.groups)
            for (const auto& [signal, deviations] : group.common)
                confirmed.signals[signal] = {tailored::state_of(deviations), 0.0};
        if (!confirmed.signals.empty()) return confirmed;
    }
    const auto found = seen.of.find(component);
    if (found == seen.of.end())
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected a component with signals of the catalogue, found \"{}\"",
                                component));
    for (const tailored::Observation& o : found->second)
        confirmed.signals[seen.features[o.feature].signal] = {tailored::state_of(o.relative),
                                                              o.extreme};
    return confirmed;
}

}  // namespace culprit
