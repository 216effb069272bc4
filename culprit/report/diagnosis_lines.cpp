#include "culprit/report/diagnosis_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "culprit/report/evidence_text.h"
#include "culprit/report/quantity_text.h"
#include "culprit/report/text_table.h"

namespace culprit {

std::string percent(double share) {
    return share > 0 && share < 0.01 ? "< 1 %" : fmt::format("{:.0f} %", 100 * share);
}

std::string incident_line(const Case& found) {
    const Incident& incident = found.incident;
    return fmt::format("{}, alert {} UTC, {} before and {} after", printable(found.id),
                       format_time(incident.alert, 0), format_duration(incident.baseline.length()),
                       format_duration(incident.suspect.length()));
}

std::string symptom_line(const std::vector<MethodAnswer>& answers) {
    for (const MethodAnswer& answer : answers) {
        if (!answer.diagnosis.symptom) continue;
        const FindingStep& symptom = *answer.diagnosis.symptom;
        std::string text = printable(symptom.text);
        if (symptom.when != TimePoint{})
            text += " since " + when_text(symptom.when, symptom.uncertainty);
        if (!symptom.remark.empty()) text += ", " + printable(symptom.remark);
        return text;
    }
    return {};
}

std::string method_line(const MethodAnswer& answer) {
    std::string text = fmt::format("{} ({}), {}", answer.method, to_string(answer.variant),
                                   format_quantity(answer.seconds, "s"));
    if (answer.status() != "ok") text += fmt::format(", {}", answer.status());
    return text;
}

std::string title_of(const Finding& finding) {
    return printable(finding.component) + (finding.component.empty() ? "" : ": ") +
           printable(finding.name);
}

namespace {

/// How sure it is that the component is broken, whatever the fault: the findings are only the
/// likeliest of it, where its score says all.
double probability_of(const Diagnosis& diagnosis, const std::string& component) {
    double sum = 0.0;
    for (const Finding& finding : diagnosis.findings)
        sum += finding.component == component ? finding.probability : 0.0;
    for (const Suspect& suspect : diagnosis.ranking.suspects())
        if (!component.empty() && suspect.service == component)
            sum = std::max(sum, std::min(suspect.score, 1.0));
    return sum;
}

template <class Condition>
const Finding* likeliest(const std::vector<Finding>& findings, Condition condition) {
    const Finding* best = nullptr;
    for (const Finding& finding : findings)
        if (condition(finding) && (best == nullptr || finding.probability > best->probability))
            best = &finding;
    return best;
}

}  // namespace

std::string doubt_line(const Diagnosis& diagnosis) {
    if (diagnosis.findings.empty()) return {};
    const Finding& first = diagnosis.findings.front();
    if (first.fault != "unknown" && first.probability >= known_probability_min) return {};
    const auto is_known = [](const Finding& f) { return f.fault != "unknown"; };
    const Finding* known = likeliest(diagnosis.findings, is_known);
    const double of_component = probability_of(diagnosis, first.component);
    std::string text;
    if (first.component.empty() && !is_known(first)) {
        text = printable(first.name);
        if (known != nullptr)
            text += fmt::format("; best {}: {}", percent(known->probability), title_of(*known));
    } else if (!first.component.empty() && of_component >= known_probability_min) {
        text = fmt::format("{} ({}), but no known fault fits", printable(first.component),
                           percent(of_component));
        if (is_known(first)) text += " for sure";
        const Finding* its = likeliest(diagnosis.findings, [&](const Finding& f) {
            return is_known(f) && f.component == first.component;
        });
        if (its != nullptr || (known != nullptr && known->component.empty())) known = its;
        if (known != nullptr)
            text += fmt::format(
                "; best {}: {}", percent(known->probability),
                known->component == first.component ? printable(known->name) : title_of(*known));
    } else {
        const Finding& best = known == nullptr ? first : *known;
        text = fmt::format("no known fault fits; best {}: {}", percent(best.probability),
                           title_of(best));
    }
    for (const Finding& finding : diagnosis.findings)
        if (!finding.chain.empty()) {
            text += "; first to move: " + printable(finding.chain.front().text);
            break;
        }
    return text;
}

namespace {

/// The longest part of a template that every line of it has.
std::string_view longest_literal(std::string_view log_template) {
    std::string_view longest;
    while (!log_template.empty()) {
        const std::size_t end = std::min(log_template.find('<'), log_template.size());
        if (end > longest.size()) longest = log_template.substr(0, end);
        const std::size_t next = std::min(log_template.find('>', end), log_template.size() - 1);
        log_template.remove_prefix(next + 1);
    }
    return longest;
}

}  // namespace

std::vector<std::string> new_log_lines(const Diagnosis& diagnosis, const Finding& finding) {
    constexpr std::size_t lines_max = 2;
    constexpr std::size_t columns_max = 110;
    constexpr double telling_score = 3.0;
    std::vector<const LogEvidence*> fresh;
    for (const Suspect& suspect : diagnosis.ranking.suspects()) {
        if (suspect.service != finding.component || finding.component.empty()) continue;
        for (const Evidence& piece : suspect.evidence) {
            const auto* log = std::get_if<LogEvidence>(&piece);
            if (log == nullptr || log->baseline_per_minute > 0.0 || log->score < telling_score)
                continue;
            const std::string_view literal = longest_literal(log->log_template);
            if (std::ranges::none_of(finding.chain, [&](const FindingStep& step) {
                    return step.text.find(literal) != std::string::npos;
                }))
                fresh.push_back(log);
        }
    }
    std::ranges::stable_sort(fresh, [](const LogEvidence* a, const LogEvidence* b) {
        return a->suspect_per_minute > b->suspect_per_minute;
    });
    std::vector<std::string> lines;
    for (const LogEvidence* log : fresh)
        if (lines.size() < lines_max)
            lines.push_back(fmt::format(
                "{} \"{}\", {} per minute, none before", when_text(log->first_seen, Duration{0}),
                shorten(printable(log->example.empty() ? log->log_template : log->example),
                        columns_max),
                format_number(log->suspect_per_minute)));
    return lines;
}

std::string joined(const std::vector<std::string>& parts) {
    return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<ServiceSuspects> by_service(const Ranking& ranking) {
    std::vector<ServiceSuspects> services;
    for (const Suspect& suspect : ranking.suspects()) {
        auto at = std::find_if(services.begin(), services.end(), [&](const ServiceSuspects& s) {
            return s.service == suspect.service;
        });
        if (at == services.end()) at = services.insert(at, {suspect.service, {}});
        at->suspects.push_back(&suspect);
    }
    return services;
}

}  // namespace culprit
