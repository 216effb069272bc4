#include "promises.h"

#include <algorithm>
#include <iterator>

namespace culprit {
namespace {

struct Excuse {
    std::string_view method;
    bool reference;
    bool published;
    std::string_view why;
};

constexpr std::string_view walk =
    "the study's walk ignores the graph: its visits belong to column numbers";
constexpr std::string_view random = "draws over column numbers";
constexpr std::string_view orientation =
    "conflicting orientations are settled first come, first served";

constexpr Excuse excuses[] = {
    {"dummy", true, true, random},
    {"pc_pagerank", true, true, orientation},
    {"pc_randomwalk", true, true, walk},
    {"fci_pagerank", true, true, orientation},
    {"fci_randomwalk", true, true, walk},
    {"granger_randomwalk", true, true, walk},
    {"lingam_pagerank", true, true, "FastICA starts from a random matrix over column numbers"},
    {"lingam_randomwalk", true, true, walk},
    {"causalrca", true, true, "the network's weights start at random per column number"},
    {"causalai", true, true, "the conditions tried are the first ones by column number"},
    {"microcause", true, true, "candidate parents are tried in the order of columns"},
    {"rcd", true, true, "columns are cut into random groups by number"},
    {"circa", true, true, orientation},
};

// Their published score is a ratio of two numbers in the metric's own unit.
constexpr std::string_view unit_free[] = {"nsigma", "baro", "mmbaro", "e_diagnosis", "mean_shift"};

// These may rightly find nothing.
constexpr std::string_view may_be_empty[] = {"e_diagnosis", "causalai", "rcd", "circa"};

template <class List>
bool holds(const List& list, std::string_view name) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

}  // namespace

std::string column_order_excuse(std::string_view method, Variant variant) {
    for (const Excuse& excuse : excuses)
        if (excuse.method == method &&
            (variant == Variant::reference ? excuse.reference : excuse.published))
            return std::string(excuse.why);
    return {};
}

bool promises_unit_freedom(std::string_view method, Variant variant) {
    return variant == Variant::published && holds(unit_free, method);
}

bool promises_answer(std::string_view method) { return !holds(may_be_empty, method); }

}  // namespace culprit
