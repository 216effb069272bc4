#include "promises.h"

namespace culprit {
namespace {

enum class Of : std::uint8_t { reference, published, both };

struct Exemption {
    Promise promise;
    std::string_view method;
    Of variant;
    std::string_view why;
};

constexpr std::string_view walk =
    "the study's walk ignores the graph: its visits belong to column numbers";
constexpr std::string_view orientation =
    "conflicting orientations are settled first come, first served";
constexpr std::string_view may_find_nothing = "may rightly find nothing";

// The one place that says what a method does not promise, and why.
constexpr Exemption exemptions[] = {
    {Promise::column_order, "dummy", Of::both, "draws over column numbers"},
    {Promise::column_order, "pc_pagerank", Of::both, orientation},
    {Promise::column_order, "pc_randomwalk", Of::reference, walk},
    {Promise::column_order, "pc_randomwalk", Of::published, orientation},
    {Promise::column_order, "fci_pagerank", Of::both, orientation},
    {Promise::column_order, "fci_randomwalk", Of::reference, walk},
    {Promise::column_order, "fci_randomwalk", Of::published, orientation},
    {Promise::column_order, "granger_randomwalk", Of::reference, walk},
    {Promise::column_order, "granger_randomwalk", Of::published,
     "the walk starts at the first latency column"},
    {Promise::column_order, "lingam_pagerank", Of::both,
     "FastICA starts from a random matrix over column numbers"},
    {Promise::column_order, "lingam_randomwalk", Of::reference, walk},
    {Promise::column_order, "lingam_randomwalk", Of::published,
     "FastICA starts from a random matrix over column numbers"},
    {Promise::column_order, "causalrca", Of::both,
     "the network's weights start at random per column number"},
    {Promise::column_order, "causalai", Of::both,
     "the conditions tried are the first ones by column number"},
    {Promise::column_order, "microcause", Of::both,
     "candidate parents are tried in the order of columns"},
    {Promise::column_order, "rcd", Of::both, "columns are cut into random groups by number"},
    {Promise::column_order, "circa", Of::both, orientation},
    {Promise::column_order, "noise_attribution", Of::both, orientation},

    {Promise::units, "lingam_pagerank", Of::reference,
     "components are matched to columns by weights in the columns' units"},
    {Promise::units, "microcause", Of::reference,
     "a pseudo-inverse of covariances cuts off what is small in absolute terms"},
    {Promise::units, "culprit", Of::both,
     "reads a metric in the unit that its name and the catalogue of signals give it"},
    {Promise::units, "rcd", Of::reference, "bin edges nearer than 1e-8 collapse in any unit"},

    {Promise::answer, "e_diagnosis", Of::both, may_find_nothing},
    {Promise::answer, "causalai", Of::both, may_find_nothing},
    {Promise::answer, "rcd", Of::both, may_find_nothing},
    {Promise::answer, "circa", Of::reference, may_find_nothing},
};

bool covers(Of of, Variant variant) {
    return of == Of::both || (of == Of::reference) == (variant == Variant::reference);
}

}  // namespace

std::string_view exemption(Promise promise, std::string_view method, Variant variant) {
    for (const Exemption& exempt : exemptions)
        if (exempt.promise == promise && exempt.method == method && covers(exempt.variant, variant))
            return exempt.why;
    return {};
}

}  // namespace culprit
