#include "culprit/methods/catalog.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "culprit/base/nearest_word.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit {

std::unique_ptr<Method> make_baro();
std::unique_ptr<Method> make_causalai();
std::unique_ptr<Method> make_causalrca();
std::unique_ptr<Method> make_circa();
std::unique_ptr<Method> make_dummy();
std::unique_ptr<Method> make_e_diagnosis();
std::unique_ptr<Method> make_fci_pagerank();
std::unique_ptr<Method> make_fci_randomwalk();
std::unique_ptr<Method> make_ges_pagerank();
std::unique_ptr<Method> make_granger_pagerank();
std::unique_ptr<Method> make_granger_randomwalk();
std::unique_ptr<Method> make_latest_change();
std::unique_ptr<Method> make_lingam_pagerank();
std::unique_ptr<Method> make_lingam_randomwalk();
std::unique_ptr<Method> make_mean_shift();
std::unique_ptr<Method> make_microcause();
std::unique_ptr<Method> make_microrank();
std::unique_ptr<Method> make_microrca();
std::unique_ptr<Method> make_microscope();
std::unique_ptr<Method> make_mmbaro();
std::unique_ptr<Method> make_mmnsigma();
std::unique_ptr<Method> make_monitorrank();
std::unique_ptr<Method> make_noise_attribution();
std::unique_ptr<Method> make_nsigma();
std::unique_ptr<Method> make_pc_pagerank();
std::unique_ptr<Method> make_pc_randomwalk();
std::unique_ptr<Method> make_pdiagnose();
std::unique_ptr<Method> make_rcd();
std::unique_ptr<Method> make_simple_rca();
std::unique_ptr<Method> make_smooth_traversal();
std::unique_ptr<Method> make_tracerca();

namespace {

constexpr CatalogEntry entries[] = {
    {"dummy", make_dummy},
    {"pc_pagerank", make_pc_pagerank},
    {"pc_randomwalk", make_pc_randomwalk},
    {"fci_pagerank", make_fci_pagerank},
    {"fci_randomwalk", make_fci_randomwalk},
    {"granger_pagerank", make_granger_pagerank},
    {"granger_randomwalk", make_granger_randomwalk},
    {"lingam_pagerank", make_lingam_pagerank},
    {"lingam_randomwalk", make_lingam_randomwalk},
    {"causalrca", make_causalrca},
    {"causalai", make_causalai},
    {"microcause", make_microcause},
    {"e_diagnosis", make_e_diagnosis},
    {"baro", make_baro},
    {"rcd", make_rcd},
    {"circa", make_circa},
    {"nsigma", make_nsigma},
    {"microrca", make_microrca},
    {"microscope", make_microscope},
    {"monitorrank", make_monitorrank},
    {"microrank", make_microrank},
    {"tracerca", make_tracerca},
    {"mmbaro", make_mmbaro},
    {"pdiagnose", make_pdiagnose},
    {"mean_shift", make_mean_shift},
    {"latest_change", make_latest_change},
    {"mmnsigma", make_mmnsigma},
    {"ges_pagerank", make_ges_pagerank},
    {"smooth_traversal", make_smooth_traversal},
    {"simple_rca", make_simple_rca},
    {"noise_attribution", make_noise_attribution},
    {"culprit", make_culprit},
};

}  // namespace

std::span<const CatalogEntry> catalog() { return entries; }

Result<std::unique_ptr<Method>> make_method(std::string_view name) {
    for (const CatalogEntry& entry : entries)
        if (entry.name == name) return entry.make();
    std::vector<std::string> known;
    for (const CatalogEntry& entry : entries) known.emplace_back(entry.name);
    return fail(ErrorCode::invalid_input,
                fmt::format("no method \"{}\"{}\nThere are: {}", name, did_you_mean(name, known),
                            fmt::join(known, ", ")));
}

}  // namespace culprit
