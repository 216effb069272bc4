#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "culprit/telemetry/assess.h"

namespace culprit {
namespace {

using nlohmann::json;

constexpr std::array<Modality, 3> modalities = {Modality::metric, Modality::log, Modality::span};

std::string_view layer_name(std::size_t layer) { return to_string(static_cast<Layer>(layer)); }

std::string joined(const std::vector<std::string>& names, std::string_view separator) {
    std::string text;
    for (const std::string& name : names) {
        if (!text.empty()) text += separator;
        text += name;
    }
    return text;
}

std::string cell_text(const AuditCell& cell) {
    if (cell.points_max <= 0) return "-";
    return fmt::format("{:.0f}/{:.0f}", cell.points, cell.points_max);
}

// The sum behind a layer's score, as a reader would do it.
std::string arithmetic(const Assessment& assessment, std::size_t layer) {
    double points_max = 0;
    std::string sum;
    for (const AuditCell& cell : assessment.cells[layer]) {
        if (cell.points_max <= 0) continue;
        points_max += cell.points_max;
        sum += fmt::format("{}{:g}", sum.empty() ? "" : " + ", cell.points);
    }
    return fmt::format("({}) / {:g}", sum, points_max);
}

std::string score_arithmetic(const Assessment& assessment) {
    std::string sum;
    int count = 0;
    for (const double score : assessment.layer_score) {
        if (score < 0) continue;
        sum += fmt::format("{}{:.2f}", sum.empty() ? "" : " + ", score);
        ++count;
    }
    return fmt::format("({}) / {}", sum, count);
}

const char* effort_text(int effort) {
    if (effort <= 1) return "a setting";
    return effort == 2 ? "a component to run" : "a larger change";
}

// Words in lines of at most `width`, each begun by `indent`.
std::string wrapped(std::string_view text, std::size_t width, std::string_view indent) {
    std::string out;
    std::size_t column = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        if (column == 0 || column + 1 + word.size() > width) {
            out += (out.empty() ? "" : "\n") + std::string(indent);
            column = indent.size();
        } else {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out + "\n";
}

std::string html_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else
            out += c;
    }
    return out;
}

constexpr std::string_view html_head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Culprit: what telemetry is missing</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1c2024}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #dde1e6;
vertical-align:top}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
code{background:#f2f4f7;padding:.1rem .3rem}
.bar{background:#dde1e6;height:.5rem;width:8rem;border-radius:.25rem}
.bar i{display:block;height:100%;border-radius:.25rem;background:#2563a8}
details{margin:.3rem 0}summary{cursor:pointer}.absent{color:#a02020}.impaired{color:#8a5a00}
@media(prefers-color-scheme:dark){body{background:#16181b;color:#e4e6e9}
th,td{border-color:#33383e}code{background:#262a2f}.bar{background:#33383e}
.bar i{background:#6aa5e0}
.absent{color:#ff9a90}.impaired{color:#e0b060}}
</style></head><body>
)";

std::string html_layers(const Assessment& assessment) {
    std::string html =
        "<table><tr><th>layer<th>metrics<th>logs<th>traces<th colspan=2>score<th>how\n";
    for (std::size_t layer = 0; layer < assessment.cells.size(); ++layer) {
        html += fmt::format("<tr><td>{}", layer_name(layer));
        for (const AuditCell& cell : assessment.cells[layer])
            html += "<td class=n>" + cell_text(cell);
        const double score = assessment.layer_score[layer];
        if (score < 0) {
            html += "<td colspan=3>nothing expected\n";
            continue;
        }
        html += fmt::format(
            "<td class=n>{:.2f}<td><div class=bar><i style=\"width:{:.0f}%\"></i></div><td "
            "class=n>{}\n",
            score, 100 * score, arithmetic(assessment, layer));
    }
    return html + "</table>\n";
}

// Of logs and traces as a whole, then of single signals.
std::vector<std::string> impairments(const Assessment& assessment) {
    std::vector<std::string> all = assessment.defects;
    for (const auto& layer : assessment.cells)
        for (const AuditCell& cell : layer)
            all.insert(all.end(), cell.impaired.begin(), cell.impaired.end());
    return all;
}

std::string html_impaired(const Assessment& assessment) {
    const std::vector<std::string> all = impairments(assessment);
    if (all.empty()) return {};
    std::string html = "<h2>Impaired</h2>\n<ul class=impaired>\n";
    for (const std::string& defect : all) html += "<li>" + html_escaped(defect) + "\n";
    return html + "</ul>\n";
}

std::string html_cells(const Assessment& assessment) {
    std::string html;
    for (std::size_t layer = 0; layer < assessment.cells.size(); ++layer)
        for (std::size_t m = 0; m < modalities.size(); ++m) {
            const AuditCell& cell = assessment.cells[layer][m];
            if (cell.points_max <= 0) continue;
            html += fmt::format(
                "<details><summary>{}, {}: {} present, {} impaired, {} absent"
                "</summary>\n",
                layer_name(layer), to_string(modalities[m]), cell.present.size(),
                cell.impaired.size(), cell.absent.size());
            const auto list = [&](const char* name, const std::vector<std::string>& names) {
                if (!names.empty())
                    html += fmt::format("<p class={0}>{0}: {1}</p>\n", name,
                                        html_escaped(joined(names, ", ")));
            };
            list("absent", cell.absent);
            list("impaired", cell.impaired);
            list("present", cell.present);
            html += "</details>\n";
        }
    return html;
}

}  // namespace

std::string assessment_text(const Assessment& assessment) {
    std::string text = fmt::format("{:<16}{:>10}{:>10}{:>10}{:>8}   how\n", "layer", "metrics",
                                   "logs", "traces", "score");
    for (std::size_t layer = 0; layer < assessment.cells.size(); ++layer) {
        text += fmt::format("{:<16}", layer_name(layer));
        for (const AuditCell& cell : assessment.cells[layer])
            text += fmt::format("{:>10}", cell_text(cell));
        const double score = assessment.layer_score[layer];
        text += score < 0 ? "       -   nothing expected\n"
                          : fmt::format("{:>8.2f}   {}\n", score, arithmetic(assessment, layer));
    }
    text += fmt::format("observability score {:.2f} = {}\n", assessment.score,
                        score_arithmetic(assessment));
    text +=
        "(a signal counts 1 + the number of fault kinds whose signature names it; impaired: "
        "half)\n\n";
    const std::vector<std::string> impaired = impairments(assessment);
    if (!impaired.empty()) {
        text += "impaired\n";
        for (std::size_t i = 0; i < std::min<std::size_t>(impaired.size(), 12); ++i)
            text += wrapped("- " + impaired[i], 98, "  ");
        if (impaired.size() > 12) text += fmt::format("  and {} more\n", impaired.size() - 12);
        text += "\n";
    }
    text += fmt::format("blind to {} of {} fault kinds\n", assessment.blind.size(),
                        assessment.num_faults);
    if (!assessment.blind.empty()) text += wrapped(joined(assessment.blind, ", "), 98, "  ");
    text += fmt::format("\ntold apart: {} of {} pairs of fault kinds; alike with what is there\n",
                        assessment.num_pairs_apart, assessment.num_pairs);
    for (const auto& group : assessment.groups)
        text += wrapped("- " + joined(group, ", "), 98, "  ");
    if (assessment.groups.empty()) text += "  none\n";
    text += "\nadditions in order of value\n";
    for (std::size_t i = 0; i < assessment.additions.size(); ++i) {
        const Addition& addition = assessment.additions[i];
        text += fmt::format(" {:>2}  {}: {} more visible, {} more pairs apart ({})\n", i + 1,
                            addition.what, addition.num_newly_visible, addition.num_separated,
                            effort_text(addition.effort));
        text += wrapped(addition.how, 98, "       ");
        if (!addition.examples.empty())
            text += wrapped("e.g. " + joined(addition.examples, "; "), 98, "       ");
    }
    if (assessment.additions.empty()) text += "  none would tell more faults apart\n";
    return text;
}

std::string assessment_json(const Assessment& assessment) {
    json out = {{"version", 1},
                {"score", assessment.score},
                {"score_arithmetic", score_arithmetic(assessment)},
                {"layers", json::array()},
                {"num_faults", assessment.num_faults},
                {"blind", assessment.blind},
                {"num_pairs", assessment.num_pairs},
                {"num_pairs_apart", assessment.num_pairs_apart},
                {"alike", assessment.groups},
                {"additions", json::array()},
                {"defects", assessment.defects}};
    for (std::size_t layer = 0; layer < assessment.cells.size(); ++layer) {
        json entry = {{"layer", layer_name(layer)}};
        if (assessment.layer_score[layer] >= 0) {
            entry["score"] = assessment.layer_score[layer];
            entry["arithmetic"] = arithmetic(assessment, layer);
        }
        for (std::size_t m = 0; m < modalities.size(); ++m) {
            const AuditCell& cell = assessment.cells[layer][m];
            entry[std::string(to_string(modalities[m]))] = {{"points", cell.points},
                                                            {"points_max", cell.points_max},
                                                            {"present", cell.present},
                                                            {"impaired", cell.impaired},
                                                            {"absent", cell.absent}};
        }
        out["layers"].push_back(std::move(entry));
    }
    for (const Addition& addition : assessment.additions)
        out["additions"].push_back({{"what", addition.what},
                                    {"how", addition.how},
                                    {"effort", addition.effort},
                                    {"num_newly_visible", addition.num_newly_visible},
                                    {"num_separated", addition.num_separated},
                                    {"examples", addition.examples}});
    return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string assessment_html(const Assessment& assessment) {
    std::string html(html_head);
    html += fmt::format(
        "<h1>What telemetry is there, and what is missing</h1>\n"
        "<p>Observability score <b>{:.2f}</b> = {}. A signal counts 1 + the number "
        "of fault kinds whose signature names it; impaired ones count half.</p>\n",
        assessment.score, score_arithmetic(assessment));
    html += html_layers(assessment) + html_impaired(assessment);
    html +=
        fmt::format("<h2>Blind to {} of {} fault kinds</h2>\n<p>{}</p>\n", assessment.blind.size(),
                    assessment.num_faults, html_escaped(joined(assessment.blind, ", ")));
    html += fmt::format(
        "<h2>Alike with what is there</h2>\n<p>{} of {} pairs of fault kinds can be "
        "told apart. These cannot be told from their neighbours:</p>\n<ul>\n",
        assessment.num_pairs_apart, assessment.num_pairs);
    for (const auto& group : assessment.groups)
        html += "<li>" + html_escaped(joined(group, ", ")) + "\n";
    html +=
        "</ul>\n<h2>Additions in order of value</h2>\n<table><tr><th>#<th>what<th>more "
        "visible<th>more pairs apart<th>effort<th>how\n";
    for (std::size_t i = 0; i < assessment.additions.size(); ++i) {
        const Addition& addition = assessment.additions[i];
        html += fmt::format(
            "<tr><td class=n>{}<td>{}<td class=n>{}<td class=n>{}<td>{}<td>"
            "<code>{}</code><br>{}\n",
            i + 1, html_escaped(addition.what), addition.num_newly_visible, addition.num_separated,
            effort_text(addition.effort), html_escaped(addition.how),
            html_escaped(joined(addition.examples, "; ")));
    }
    html += "</table>\n<h2>Signals</h2>\n" + html_cells(assessment);
    return html + "</body></html>\n";
}

}  // namespace culprit
