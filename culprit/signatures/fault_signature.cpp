#include "culprit/signatures/fault_signature.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "culprit/base/check.h"
#include "culprit/base/json_text.h"
#include "culprit/signatures/embedded_faults.h"

namespace culprit {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> layers = {"infrastructure", "platform", "toolkit",
                                                    "framework", "model"};

/// Reads one object field by field; the first problem wins and names its place.
class Fields {
public:
    Fields(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
        if (!json.is_object()) complain("", "an object", json);
    }

    std::string text(const char* key, bool required = true) {
        const Json* value = get(key, required);
        if (value == nullptr) return {};
        if (!value->is_string() || (required && value->get<std::string>().empty()))
            return complain(key, "a text", *value), std::string();
        return value->get<std::string>();
    }
    double number(const char* key, double minimum, double maximum) {
        const Json* value = get(key, true);
        if (value == nullptr) return minimum;
        if (!value->is_number() || value->get<double>() < minimum || value->get<double>() > maximum)
            return complain(key, fmt::format("a number from {} to {}", minimum, maximum), *value),
                   minimum;
        return value->get<double>();
    }
    bool flag(const char* key) {
        const Json* value = get(key, false);
        if (value == nullptr) return false;
        if (!value->is_boolean()) return complain(key, "true or false", *value), false;
        return value->get<bool>();
    }
    template <std::size_t N>
    std::string one_of(const char* key, const std::array<std::string_view, N>& allowed) {
        std::string value = text(key);
        if (!error_ && std::ranges::find(allowed, value) == allowed.end())
            complain(key, fmt::format("one of {}", fmt::join(allowed, ", ")), Json(value));
        return value;
    }
    /// Calls `read` for every element of an array of objects.
    template <class Read>
    void each(const char* key, Read read) {
        const Json* value = get(key, true);
        if (value == nullptr) return;
        if (!value->is_array()) return complain(key, "a list", *value);
        for (std::size_t i = 0; i < value->size() && !error_; ++i) {
            Fields element((*value)[i], fmt::format("{}{}[{}].", place_, key, i));
            read(element);
            if (element.error_) error_ = element.error_;
        }
    }
    std::vector<std::string> texts(const char* key, bool required = true) {
        std::vector<std::string> out;
        const Json* value = get(key, required);
        if (value == nullptr) return out;
        if (!value->is_array()) return complain(key, "a list of texts", *value), out;
        for (const Json& element : *value) {
            if (!element.is_string()) return complain(key, "a list of texts", element), out;
            out.push_back(element.get<std::string>());
        }
        return out;
    }
    void allow_only(std::initializer_list<std::string_view> keys) {
        if (!json_.is_object()) return;
        for (const auto& [key, value] : json_.items())
            if (std::ranges::find(keys, key) == keys.end())
                complain(key.c_str(), "no such field", value);
    }
    void complain(const char* key, std::string_view expected, const Json& found) {
        if (!error_)
            error_ = Error{ErrorCode::malformed_data,
                           fmt::format("{}{}: expected {}, found {}", place_, key, expected,
                                       json_for_message(found))};
    }
    const std::optional<Error>& error() const { return error_; }

private:
    const Json* get(const char* key, bool required) {
        if (error_) return nullptr;
        const auto found = json_.find(key);
        if (found != json_.end()) return &*found;
        if (required)
            error_ = Error{ErrorCode::malformed_data,
                           fmt::format("{}{}: expected this field, found none", place_, key)};
        return nullptr;
    }

    const Json& json_;
    std::string place_;
    std::optional<Error> error_;
};

ExpectedSignal read_signal(Fields& fields) {
    static constexpr std::array<std::string_view, 5> directions = {"up", "surge", "down", "gone",
                                                                   "flat"};
    fields.allow_only({"signal", "direction", "order", "weight", "excludes_opposite"});
    ExpectedSignal expected{.signal = fields.text("signal"), .direction = Direction::flat};
    const std::string direction = fields.one_of("direction", directions);
    for (const Direction d : {Direction::up, Direction::surge, Direction::down, Direction::gone})
        if (direction == to_string(d)) expected.direction = d;
    expected.order = static_cast<int>(fields.number("order", 0, 9));
    expected.weight = static_cast<int>(fields.number("weight", 1, 5));
    expected.excludes_opposite = fields.flag("excludes_opposite");
    return expected;
}

LogPattern read_log(Fields& fields) {
    fields.allow_only({"pattern", "weight"});
    LogPattern log{.pattern = fields.text("pattern"),
                   .weight = static_cast<int>(fields.number("weight", 1, 5))};
    if (!re2::RE2(log.pattern, re2::RE2::Quiet).ok())
        fields.complain("pattern", "a regular expression", Json(log.pattern));
    return log;
}

using Effects = std::map<std::string, std::vector<ExpectedSignal>>;

const Effects& builtin_effects() {
    static const Effects effects = [] {
        Effects built;
        const Json document = Json::parse(embedded_effects());
        for (const auto& [name, effect] : document.items()) {
            Fields fields(effect, "effects.json: " + name + ": ");
            fields.allow_only({"what", "signals"});
            std::vector<ExpectedSignal>& signals = built[name];
            fields.each("signals", [&](Fields& f) { signals.push_back(read_signal(f)); });
            CULPRIT_CHECK(!fields.error());  // product data, read by the tests
        }
        return built;
    }();
    return effects;
}

void add_effects(FaultSignature& fault, Fields& fields) {
    for (const std::string& name : fault.effects) {
        const auto effect = builtin_effects().find(name);
        if (effect == builtin_effects().end())
            return fields.complain("effects", "names of data/effects.json", Json(name));
        for (const ExpectedSignal& shared : effect->second)
            if (std::ranges::find(fault.signals, shared.signal, &ExpectedSignal::signal) ==
                fault.signals.end())
                fault.signals.push_back(shared);
    }
}

FaultSignature read_signature(Fields& fields) {
    static constexpr std::array<std::string_view, 3> scopes = {"one", "some", "all"};
    fields.allow_only({"id", "catalogue", "name", "family", "layer", "component", "scope", "prior",
                       "effects", "signals", "logs", "changes", "decided_by", "remedies",
                       "follows_from", "aliases"});
    FaultSignature fault{.id = fields.text("id"),
                         .catalogue = fields.text("catalogue", false),
                         .name = fields.text("name"),
                         .family = fields.text("family"),
                         .layer = fields.one_of("layer", layers),
                         .component = fields.text("component")};
    const std::string scope = fields.one_of("scope", scopes);
    fault.scope = scope == "all"    ? FaultScope::all
                  : scope == "some" ? FaultScope::some
                                    : FaultScope::one;
    fault.prior = fields.number("prior", 1e-6, 1e6);
    fields.each("signals", [&](Fields& f) { fault.signals.push_back(read_signal(f)); });
    fault.effects = fields.texts("effects", false);
    add_effects(fault, fields);
    fields.each("logs", [&](Fields& f) { fault.logs.push_back(read_log(f)); });
    fault.changes = fields.texts("changes");
    fault.follows_from = fields.texts("follows_from", false);
    fault.aliases = fields.texts("aliases", false);
    fields.each("decided_by", [&](Fields& f) {
        f.allow_only({"signal", "tells"});
        fault.decided_by.push_back({.signal = f.text("signal"), .tells = f.text("tells")});
    });
    fields.each("remedies", [&](Fields& f) {
        f.allow_only({"do", "command", "when"});
        Remedy remedy{.action = f.text("do"), .command = f.text("command", false)};
        const std::string when = f.text("when", false);
        if (when == "before")
            remedy.when = RemedyTime::before;
        else if (when == "meanwhile")
            remedy.when = RemedyTime::meanwhile;
        else if (!when.empty())
            f.complain("when", "\"before\", \"meanwhile\" or no such field", Json(when));
        fault.remedies.push_back(std::move(remedy));
    });
    return fault;
}

Result<std::string> read_text(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(ErrorCode::io_failure, fmt::format("{}: cannot be read", path.string()));
    return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

std::string_view to_string(Direction direction) {
    switch (direction) {
        case Direction::up:
            return "up";
        case Direction::surge:
            return "surge";
        case Direction::down:
            return "down";
        case Direction::gone:
            return "gone";
        case Direction::flat:
            break;
    }
    return "flat";
}

std::string_view to_string(FaultScope scope) {
    switch (scope) {
        case FaultScope::one:
            return "one";
        case FaultScope::some:
            return "some";
        case FaultScope::all:
            break;
    }
    return "all";
}

struct LogPatternSet::Automaton {
    re2::RE2::Set set{re2::RE2::Quiet, re2::RE2::UNANCHORED};
};

LogPatternSet::LogPatternSet(std::span<const FaultSignature> signatures)
    : automaton_(std::make_unique<Automaton>()) {
    for (std::size_t f = 0; f < signatures.size(); ++f)
        for (std::size_t p = 0; p < signatures[f].logs.size(); ++p) {
            const int index = automaton_->set.Add(signatures[f].logs[p].pattern, nullptr);
            CULPRIT_CHECK(index == static_cast<int>(places_.size()));  // parse() has tried it
            places_.push_back({.fault = f, .pattern = p});
        }
    CULPRIT_CHECK(automaton_->set.Compile());
}

LogPatternSet::~LogPatternSet() = default;

void LogPatternSet::match(std::string_view line, std::vector<Place>& found) const {
    std::vector<int> indices;
    if (!automaton_->set.Match(re2::StringPiece(line.data(), line.size()), &indices)) return;
    std::ranges::sort(indices);
    for (const int index : indices) found.push_back(places_[static_cast<std::size_t>(index)]);
}

FaultLibrary::FaultLibrary() : FaultLibrary(std::vector<FaultSignature>{}) {}

FaultLibrary::FaultLibrary(std::vector<FaultSignature> signatures)
    : signatures_(std::move(signatures)),
      log_patterns_(std::make_shared<const LogPatternSet>(signatures_)) {}

Result<FaultSignature> FaultLibrary::parse(std::string_view json, std::string_view place) {
    const auto parsed = parse_json(json);
    if (!parsed) {
        const JsonFault& fault = parsed.error();
        return fail(ErrorCode::malformed_data, fmt::format("{}:{}:{}: {}", place, fault.at.line,
                                                           fault.at.column, fault.message));
    }
    const Json& document = *parsed;
    Fields fields(document, std::string(place) + ": ");
    FaultSignature fault = read_signature(fields);
    if (!fields.error() && fault.signals.empty() && fault.logs.empty())
        fields.complain("signals", "at least one signal or log pattern", document["signals"]);
    if (fields.error()) return tl::unexpected<Error>(*fields.error());
    return fault;
}

const FaultLibrary& FaultLibrary::builtin() {
    static const FaultLibrary library = [] {
        std::vector<FaultSignature> faults;
        for (const EmbeddedFile& file : embedded_faults()) {
            auto fault = parse(file.text, file.name);
            CULPRIT_CHECK(fault.has_value());  // the test names the file and the field
            faults.push_back(std::move(*fault));
        }
        return FaultLibrary(std::move(faults));
    }();
    return library;
}

Result<FaultLibrary> FaultLibrary::load(const std::filesystem::path& folder) {
    std::error_code failed;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
        if (entry.path().extension() == ".json") paths.push_back(entry.path());
    if (failed || paths.empty())
        return fail(ErrorCode::missing_input,
                    fmt::format("{}: expected a folder with *.json fault files, found {}",
                                folder.string(), failed ? failed.message() : "none"));
    std::ranges::sort(paths);
    std::vector<FaultSignature> faults;
    for (const auto& path : paths) {
        CULPRIT_TRY(const std::string text, read_text(path));
        CULPRIT_TRY(FaultSignature fault, parse(text, path.string()));
        if (std::ranges::find(faults, fault.id, &FaultSignature::id) != faults.end())
            return fail(ErrorCode::malformed_data,
                        fmt::format("{}: id \"{}\" appears twice", path.string(), fault.id));
        faults.push_back(std::move(fault));
    }
    return FaultLibrary(std::move(faults));
}

FaultLibrary FaultLibrary::of(std::vector<FaultSignature> signatures) {
    return FaultLibrary(std::move(signatures));
}

FaultLibrary FaultLibrary::merged_with(const FaultLibrary& other) const {
    std::vector<FaultSignature> merged = signatures_;
    for (const FaultSignature& fault : other.signatures_) {
        const auto same = std::ranges::find(merged, fault.id, &FaultSignature::id);
        if (same == merged.end())
            merged.push_back(fault);
        else
            *same = fault;
    }
    return FaultLibrary(std::move(merged));
}

FaultLibrary FaultLibrary::without(std::string_view id_or_family) const {
    std::vector<FaultSignature> rest = signatures_;
    std::erase_if(rest, [&](const FaultSignature& fault) {
        return fault.id == id_or_family || fault.family == id_or_family;
    });
    return FaultLibrary(std::move(rest));
}

bool FaultSignature::is_called(std::string_view word) const {
    return id == word || std::ranges::find(aliases, word) != aliases.end();
}

const FaultSignature* FaultLibrary::find_by_name(std::string_view id_or_alias) const {
    const auto found = std::ranges::find_if(
        signatures_, [&](const FaultSignature& fault) { return fault.is_called(id_or_alias); });
    return found == signatures_.end() ? nullptr : &*found;
}

const FaultSignature* FaultLibrary::find(std::string_view id) const {
    const auto found = std::ranges::find(signatures_, id, &FaultSignature::id);
    return found == signatures_.end() ? nullptr : &*found;
}

}  // namespace culprit
