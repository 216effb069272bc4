#pragma once

#include "culprit/base/result.h"
#include "culprit/frame/frame.h"

namespace culprit {

/// Says of every column which component it belongs to and what it measures, whatever the layout.
///
/// Names that a monitoring system wrote, `metric{pod="vllm-0",gpu="3"}` or `{__name__="metric",…}`,
/// are read as such: the component is the pod, workload, container, instance or host that the
/// labels name (Catalogue::entity_of), and the labels stay with the column. Series that only know
/// an address or a host are joined to the pod: an address by `pod_ip` of any series, and what a
/// host measures (its GPUs, its CPUs) to the only pod with an inference engine on it.
///
/// Other names are a component and a metric with a separator between them. The field's convention
/// is the first "_", and it stands where nine columns in ten agree with it: the rest is a known
/// metric or one that several components have. Otherwise every place of `_ - . / : |` and space is
/// a candidate, and the one wins that lets prefix and rest come again most often, the rest counting
/// twice, with a bonus for rests that are metrics or made of words for measurements.
///
/// Cost: O(total length of the names * separators in a name).   Values are shared, not copied.
Result<Frame> name_components(const Frame& frame);

}  // namespace culprit
