#pragma once

#include <string_view>

namespace culprit {

/// The files of data/catalogue as the build embedded them.
std::string_view embedded_signals_csv();
std::string_view embedded_labels_csv();
std::string_view embedded_components_csv();

}  // namespace culprit
