#include <fmt/format.h>

#include <algorithm>

#include "culprit/report/diagnosis_lines.h"
#include "culprit/report/evidence_text.h"
#include "culprit/report/quantity_text.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

/// A command between backticks, as many as it takes.
std::string code(const std::string& command) {
    const char* fence = command.find('`') == std::string::npos ? "`" : "``";
    return fmt::format("{0}{1}{0}", fence, printable(command));
}

std::string advice_line(const char* lead, const Advice& advice) {
    return fmt::format("   - {}: {}{}\n", lead, printable(advice.action),
                       advice.command.empty() ? "" : " " + code(advice.command));
}

std::string finding_lines(const Finding& finding, const std::vector<std::string>& new_lines) {
    std::string text;
    for (const FindingStep& step : finding.chain) {
        const std::string when = when_text(step.when, step.uncertainty);
        text += fmt::format("   - {}{}{}{}{}\n", when, when.empty() ? "" : " ",
                            printable(step.text), step.remark.empty() ? "" : ", ", step.remark);
    }
    if (!finding.beside.empty()) text += fmt::format("   - also: {}\n", printable(finding.beside));
    if (!finding.where.empty()) text += fmt::format("   - where: {}\n", printable(finding.where));
    for (const std::string& words : new_lines)
        text += fmt::format("   - new in its log: {}\n", words);
    for (const std::string& words : finding.against)
        text += fmt::format("   - against: {}\n", printable(words));
    for (const std::string& words : finding.ruled_out)
        text += fmt::format("   - not: {}\n", printable(words));
    for (const Advice& advice : finding.advice) text += advice_line("do", advice);
    if (finding.meanwhile) text += advice_line("meanwhile", *finding.meanwhile);
    return text;
}

std::string findings_markdown(const Diagnosis& diagnosis) {
    std::string text;
    const std::string doubt = doubt_line(diagnosis);
    if (!doubt.empty()) text += fmt::format("\n**?** {}\n", doubt);
    for (std::size_t i = 0; i < diagnosis.findings.size(); ++i) {
        const Finding& finding = diagnosis.findings[i];
        text += fmt::format("\n{}. **{}**, {}\n", i + 1, title_of(finding),
                            percent(finding.probability));
        if (i == 0 || finding.probability >= told_probability_min)
            text += finding_lines(finding, new_log_lines(diagnosis, finding));
    }
    for (const std::string& spot : diagnosis.blind_spots)
        text +=
            fmt::format("\n{}: {}\n", doubt.empty() ? "Blind spot" : "To decide", printable(spot));
    return text;
}

std::string suspect_markdown(const ServiceSuspects& service, std::size_t rank) {
    const Suspect& best = *service.suspects.front();
    std::string text = fmt::format("\n### {}. {} (score {})\n\n", rank, printable(service.service),
                                   format_number(best.score));
    TextTable table({{"since (UTC)"},
                     {"what"},
                     {"baseline → peak", Align::right},
                     {"deviations", Align::right}});
    for (const Evidence& piece : best.evidence) {
        const EvidenceText words = evidence_text(piece, service.service);
        table.add_row({words.when, words.what, words.moved, words.score});
    }
    return text + (table.num_rows() > 0 ? table.to_markdown() : "No signal of it moved.\n");
}

}  // namespace

std::string diagnosis_markdown(const DiagnosisReport& report) {
    const Coverage coverage = coverage_of(report.found->incident);
    std::string text = fmt::format("# Incident {}\n\n", incident_line(*report.found));
    if (const std::string symptom = symptom_line(report.answers); !symptom.empty())
        text += symptom + "\n\n";
    text +=
        fmt::format("- Seen: {}\n- Missing: {}\n", joined(coverage.seen), joined(coverage.missing));
    for (const MethodAnswer& answer : report.answers) {
        text += fmt::format("\n## {}\n", method_line(answer));
        if (!answer.reason().empty()) text += fmt::format("\n{}\n", answer.reason());
        for (const std::string& note : answer.diagnosis.notes) text += fmt::format("\n{}\n", note);
        text += findings_markdown(answer.diagnosis);
        const auto services = by_service(answer.diagnosis.ranking);
        const std::size_t count = std::min(report.top.value_or(services_shown), services.size());
        for (std::size_t rank = 0; rank < count; ++rank)
            text += suspect_markdown(services[rank], rank + 1);
    }
    return text;
}

}  // namespace culprit
