#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"

namespace culprit {

enum class Direction : std::uint8_t {
    up,
    surge,  ///< up to several times what it was
    down,
    gone,  ///< down to nearly nothing: below about a seventh of what it was
    flat,
};
std::string_view to_string(Direction direction);
constexpr bool is_upwards(Direction direction) {
    return direction == Direction::up || direction == Direction::surge;
}

/// Which replicas a fault reaches.
enum class FaultScope : std::uint8_t {
    one,   ///< one component; its siblings show no more than the load that they take over
    some,  ///< those that a change reached
    all,   ///< the service as a whole, all replicas alike
};
std::string_view to_string(FaultScope scope);

/// What one signal does under a fault.
struct ExpectedSignal {
    std::string signal;  ///< a quantity ("engine.itl") or a canonical name of the signal catalogue
    Direction direction = Direction::up;
    int order = 0;   ///< 1 moves first; equal numbers move together; 0 for flat
    int weight = 1;  ///< 1 often, 2 usually, 3 almost always, 4 by definition
    /// The opposite cannot be: who gets no requests has no more of them in work than before.
    bool excludes_opposite = false;
};

struct FaultSignature;

struct LogPattern {
    std::string pattern;  ///< RE2 regular expression; "(?i)" in front: case does not matter
    int weight = 1;
};

/// All log patterns of a library as one automaton: a line is read once, whatever their number.
/// Source: R. Cox, Regular expression matching in the wild, 2010 (RE2's sets).
class LogPatternSet {
public:
    struct Place {
        std::size_t fault = 0;    ///< index into FaultLibrary::signatures()
        std::size_t pattern = 0;  ///< index into its logs
    };
    explicit LogPatternSet(std::span<const FaultSignature> signatures);
    ~LogPatternSet();
    LogPatternSet(const LogPatternSet&) = delete;
    LogPatternSet& operator=(const LogPatternSet&) = delete;

    /// Appends the place of every pattern that the line contains. O(line) time; safe from many
    /// threads.
    void match(std::string_view line, std::vector<Place>& found) const;

private:
    struct Automaton;
    std::unique_ptr<Automaton> automaton_;
    std::vector<Place> places_;
};

/// A signal that would decide between this fault and its neighbours.
struct DecidingSignal {
    std::string signal;
    std::string tells;
};

/// When a remedy is taken.
enum class RemedyTime : std::uint8_t {
    before,     ///< changes nothing: looks whether it is this fault, and keeps the evidence
    once_sure,  ///< mends it
    meanwhile,  ///< mends nothing, but keeps users served until it is mended
};

struct Remedy {
    std::string action;
    std::string command;  ///< may be empty; words in capitals are to be filled in
    RemedyTime when = RemedyTime::once_sure;
};

/// One fault as data: what moves, in which order, what stays, what the logs say, what to do.
struct FaultSignature {
    std::string id;         ///< "gpu_power_cap"
    std::string catalogue;  ///< number in the fault catalogue, "F04"; may be empty
    std::string name;       ///< for people
    std::string family;     ///< the signal catalogue's fault family, "gpu_power"
    std::string layer;      ///< infrastructure, platform, toolkit, framework, model
    std::string
        component;  ///< gpu, host, container, engine, replica, proxy, router, link, service, ...
    FaultScope scope = FaultScope::one;
    double prior = 1.0;                ///< relative frequency, > 0
    std::vector<std::string> effects;  ///< names in data/effects.json: what faults of a kind share
    std::vector<ExpectedSignal>
        signals;  ///< its own, then those of its effects that it does not set
    std::vector<LogPattern> logs;
    std::vector<std::string> changes;  ///< kinds of change events that make it likelier
    std::vector<DecidingSignal> decided_by;
    std::vector<Remedy> remedies;
    /// Changes of the load that bring this about by themselves, by id: then nobody is broken.
    std::vector<std::string> follows_from;
    std::vector<std::string> aliases;  ///< what injectors and datasets call it

    bool is_called(std::string_view word) const;  ///< by id or alias
};

/// The faults that Culprit knows: product data (data/faults/*.json), embedded in the library; a
/// folder of the same files replaces or extends them. A new fault is a new file. Immutable.
class FaultLibrary {
public:
    FaultLibrary();  ///< knows no fault
    /// The faults that this release ships.
    static const FaultLibrary& builtin();
    /// One signature. malformed_data names the field, what was expected and what was found.
    static Result<FaultSignature> parse(std::string_view json, std::string_view place);
    /// Every *.json of a folder, in the order of file names. missing_input when there is none.
    static Result<FaultLibrary> load(const std::filesystem::path& folder);
    static FaultLibrary of(std::vector<FaultSignature> signatures);
    /// Signatures of `other` replace those with the same id; new ones go to the end.
    FaultLibrary merged_with(const FaultLibrary& other) const;
    /// Without the fault of this id or every fault of this family.
    FaultLibrary without(std::string_view id_or_family) const;

    std::span<const FaultSignature> signatures() const { return signatures_; }
    const FaultSignature* find(std::string_view id) const;
    const FaultSignature* find_by_name(std::string_view id_or_alias) const;
    const LogPatternSet& log_patterns() const { return *log_patterns_; }

private:
    explicit FaultLibrary(std::vector<FaultSignature> signatures);

    std::vector<FaultSignature> signatures_;
    std::shared_ptr<const LogPatternSet> log_patterns_;
};

}  // namespace culprit
