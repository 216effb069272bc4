#include "apps/culprit/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "culprit/base/nearest_word.h"
#include "culprit/report/text_table.h"

namespace culprit::cli {
namespace {

// What was not understood, and what was probably meant.
std::string not_understood(const CLI::App& app, const CLI::ExtrasError& error) {
    const std::vector<std::string> remaining = app.remaining(true);
    if (remaining.empty()) return error.what();
    const std::string& word = remaining.front();
    const auto chosen = app.get_subcommands();
    const CLI::App& asked = chosen.empty() ? app : *chosen.front();
    std::vector<std::string> known;
    if (!word.starts_with('-')) {
        for (const CLI::App* command : asked.get_subcommands({}))
            if (!command->get_group().empty()) known.push_back(command->get_name());
        if (known.empty()) return fmt::format("unexpected argument \"{}\"", word);
        return fmt::format("no command \"{}\"{}", word, did_you_mean(word, known));
    }
    for (const CLI::Option* option : asked.get_options())
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("no option \"{}\"{}", name, did_you_mean(name, known));
}

// Help as a person reads it: what a value is, what is meant when it is not given, lines of at most
// 80 columns.
class HelpFormatter : public CLI::Formatter {
public:
    std::string make_option(const CLI::Option* option, bool is_positional) const override {
        return entry(make_option_name(option, is_positional) + value_of(*option, is_positional),
                     description_of(*option, is_positional));
    }
    std::string make_subcommand(const CLI::App* command) const override {
        return entry(command->get_display_name(true), command->get_description());
    }

private:
    static constexpr std::size_t line_columns = 80;
    static constexpr std::size_t name_columns = 26;

    static std::string entry(const std::string& name, const std::string& description) {
        std::string text = "  " + name;
        if (text.size() + 2 > name_columns)
            text += "\n" + std::string(name_columns, ' ');
        else
            text.resize(name_columns, ' ');
        return text + wrapped(description, line_columns, name_columns) + "\n";
    }

    // CLI11 writes a type, and behind a colon what it is checked for: "FLOAT:FLOAT in [1 - 60]".
    static std::string type_of(const CLI::Option& option) {
        return option.get_type_name().substr(0, option.get_type_name().find(':'));
    }

    static std::string value_of(const CLI::Option& option, bool is_positional) {
        if (option.get_items_expected_max() == 0) return {};
        if (is_positional) return option.get_items_expected_max() > 1 ? "..." : "";
        const std::string type = type_of(option);
        return type == "FLOAT" ? " NUMBER" : type == "UINT" || type == "INT" ? " N" : " " + type;
    }

    static std::string description_of(const CLI::Option& option, bool is_positional) {
        std::string text = option.get_description();
        const std::string& type = option.get_type_name();
        const std::size_t range = type.find(" in [");
        std::string more;
        if (range != std::string::npos) {
            const std::size_t end = type.find(']', range);
            more = type.substr(range + 5, end - range - 5);
            if (const std::size_t dash = more.find(" - "); dash != std::string::npos)
                more.replace(dash, 3, " to ");
        }
        const std::string& given = option.get_default_str();
        if (!given.empty()) more += (more.empty() ? "default: " : "; default: ") + given;
        if (option.get_required() && !is_positional)
            more += more.empty() ? "required" : "; required";
        return more.empty() ? text : fmt::format("{} ({})", text, more);
    }
};

}  // namespace

Check one_of(std::initializer_list<std::string> words) {
    return {.kind = Check::Kind::member, .words = words};
}

Check whole_between(int low, int high) {
    return {.kind = Check::Kind::whole_range,
            .low = static_cast<double>(low),
            .high = static_cast<double>(high)};
}

Check between(double low, double high) {
    return {.kind = Check::Kind::range, .low = low, .high = high};
}

Check not_negative() { return {.kind = Check::Kind::at_least_zero}; }
Check positive() { return {.kind = Check::Kind::positive}; }
Check existing_file() { return {.kind = Check::Kind::file}; }
Check existing_folder() { return {.kind = Check::Kind::folder}; }

Option& Option::check(const Check& check) {
    switch (check.kind) {
        case Check::Kind::member:
            option_->check(CLI::IsMember(check.words));
            break;
        case Check::Kind::whole_range:
            option_->check(CLI::Range(static_cast<int>(check.low), static_cast<int>(check.high)));
            break;
        case Check::Kind::range:
            option_->check(CLI::Range(check.low, check.high));
            break;
        case Check::Kind::at_least_zero:
            option_->check(CLI::NonNegativeNumber);
            break;
        case Check::Kind::positive:
            option_->check(CLI::PositiveNumber);
            break;
        case Check::Kind::file:
            option_->check(CLI::ExistingFile);
            break;
        case Check::Kind::folder:
            option_->check(CLI::ExistingDirectory);
            break;
    }
    return *this;
}

Option& Option::default_text(const std::string& text) {
    option_->default_str(text);
    return *this;
}

Option& Option::required() {
    option_->required();
    return *this;
}

Option& Option::repeatable() {
    option_->expected(1)->take_all();
    return *this;
}

Option& Option::separated_by(char separator) {
    option_->delimiter(separator);
    return *this;
}

Option& Option::transform(const std::function<std::string(const std::string&)>& change) {
    option_->transform([change](const std::string& text) { return change(text); });
    return *this;
}

bool Option::was_given() const { return option_->count() > 0; }

Command::Command(const std::string& name, const std::string& summary)
    : owned_(std::make_shared<CLI::App>(summary, name)), app_(owned_.get()) {
    app_->formatter(std::make_shared<HelpFormatter>());
    app_->set_help_flag("-h,--help", "This help");
    app_->set_help_all_flag("--help-all", "Help of every command");
    app_->require_subcommand(0, 1);
}

Command Command::subcommand(const std::string& name, const std::string& summary) {
    return Command(app_->add_subcommand(name, summary));
}

Command Command::hidden_subcommand(const std::string& name) {
    return Command(app_->add_subcommand(name, "")->group(""));
}

void Command::requires_subcommand() { app_->require_subcommand(1); }
void Command::footer(const std::string& text) { app_->footer(text); }
void Command::version(const std::string& text) { app_->set_version_flag("--version", text); }

Option Command::option(const std::string& name, std::string& value, const std::string& help) {
    return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, double& value, const std::string& help) {
    return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, int& value, const std::string& help) {
    return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, unsigned& value, const std::string& help) {
    return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::size_t& value, const std::string& help) {
    return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::vector<std::string>& value,
                       const std::string& help) {
    return Option(app_->add_option(name, value, help));
}

void Command::flag(const std::string& name, bool& value, const std::string& help) {
    app_->add_flag(name, value, help);
}

void Command::on_chosen(std::function<void()> body) { app_->callback(std::move(body)); }

std::optional<int> Command::parse(int argc, char** argv,
                                  const std::function<void(const std::string&)>& on_error) {
    try {
        app_->parse(argc, argv);
    } catch (const CLI::ExtrasError& error) {
        on_error(not_understood(*app_, error));
        return 2;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app_->exit(error);
        on_error(error.what());
        return 2;
    }
    return std::nullopt;
}

std::string Command::help() const { return app_->help(); }

std::vector<std::string> Command::chosen() const {
    std::vector<std::string> names;
    for (const CLI::App* command : app_->get_subcommands()) names.push_back(command->get_name());
    return names;
}

std::vector<CommandWords> Command::subcommands() const {
    const CLI::App& app = *app_;
    std::vector<CommandWords> all;
    for (const CLI::App* command : app.get_subcommands({})) {
        CommandWords words{command->get_name(), command->get_description(), {}};
        for (const CLI::Option* option : command->get_options())
            words.options.push_back({option->get_lnames(), option->get_description(),
                                     option->get_items_expected_max() > 0});
        all.push_back(std::move(words));
    }
    return all;
}

}  // namespace culprit::cli
