#pragma once

#include <string_view>

#include "culprit/catalogue/catalogue.h"

namespace culprit {

/// Entries of the shipped catalogue that hold for some labels of a series only:
/// `nv_trt_llm_request_metrics{request_type="waiting"}`.

/// Does what the series means depend on its labels?
bool is_narrowed(const SeriesMatch& match);

/// Catalogue::builtin().match(name), narrowed by the labels. A condition that ends in "*" is a
/// prefix ("5*"). No match when every entry of that name has a condition and none is fulfilled.
SeriesMatch match_with_labels(std::string_view series_name, const Labels& labels);

}  // namespace culprit
