#include "apps/culprit/knowledge.h"

#include <utility>

#include "culprit/methods/catalog.h"

namespace culprit::cli {

Result<FaultLibrary> Knowledge::library() const {
    if (faults.empty()) return FaultLibrary::builtin();
    CULPRIT_TRY(const FaultLibrary more, FaultLibrary::load(faults));
    return FaultLibrary::builtin().merged_with(more);
}

Result<Experience> Knowledge::learned() const {
    Experience learned;
    if (experience.empty()) return learned;
    CULPRIT_TRY(const auto incidents, Experience::read(experience));
    for (const ConfirmedIncident& incident : incidents) learned.add(incident);
    return learned;
}

Result<std::unique_ptr<Method>> Knowledge::method(const std::string& name) const {
    if (name != default_method_name || (faults.empty() && experience.empty()))
        return make_method(name);
    CULPRIT_TRY(FaultLibrary known, library());
    CULPRIT_TRY(Experience confirmed, learned());
    return make_culprit(std::move(known), std::move(confirmed));
}

void add_knowledge_options(Command& command, Knowledge& knowledge) {
    command.option("--faults", knowledge.faults,
                   "Folder of fault files that add to the shipped ones or replace them");
    command.option("--experience", knowledge.experience,
                   "File of confirmed incidents, as culprit confirm writes it");
}

}  // namespace culprit::cli
