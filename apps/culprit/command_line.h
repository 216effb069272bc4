#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace culprit::cli {

/// What a value must be: one of a few words, a number in a range, a file or folder that exists.
struct Check {
    enum class Kind : std::uint8_t {
        member,
        whole_range,
        range,
        at_least_zero,
        positive,
        file,
        folder
    };

    Kind kind = Kind::file;
    std::vector<std::string> words = {};
    double low = 0.0;
    double high = 0.0;
};

Check one_of(std::initializer_list<std::string> words);
Check whole_between(int low, int high);
Check between(double low, double high);
Check not_negative();
Check positive();
Check existing_file();
Check existing_folder();

/// An option of a command as it is declared; a handle, cheap to copy.
class Option {
public:
    explicit Option(CLI::Option* option) : option_(option) {}
    Option& check(const Check& check);
    /// What the help shows as the default.
    Option& default_text(const std::string& text);
    Option& required();
    /// May be given several times, one value each.
    Option& repeatable();
    Option& separated_by(char separator);
    /// The text that is parsed instead of what was given.
    Option& transform(const std::function<std::string(const std::string&)>& change);
    bool was_given() const;

private:
    CLI::Option* option_;
};

/// An option as a shell may offer it.
struct OptionWords {
    std::vector<std::string> long_names;
    std::string help;
    bool takes_value = false;
};

struct CommandWords {
    std::string name;
    std::string summary;
    std::vector<OptionWords> options;
};

/// A command line and its subcommands. Only its source knows CLI11, whose header costs ten seconds
/// of compile time in every file that declares an option.
class Command {
public:
    /// The program itself.
    Command(const std::string& name, const std::string& summary);

    Command subcommand(const std::string& name, const std::string& summary);
    /// Left out of the help: for processes that the program starts itself.
    Command hidden_subcommand(const std::string& name);
    void requires_subcommand();
    /// Examples and what else there is to say, after the options.
    void footer(const std::string& text);
    void version(const std::string& text);

    /// A leading "-" makes an option, a bare name the next positional argument. The variable keeps
    /// its value when the option is not given; it must outlive the parse.
    Option option(const std::string& name, std::string& value, const std::string& help);
    Option option(const std::string& name, double& value, const std::string& help);
    Option option(const std::string& name, int& value, const std::string& help);
    Option option(const std::string& name, unsigned& value, const std::string& help);
    Option option(const std::string& name, std::size_t& value, const std::string& help);
    Option option(const std::string& name, std::vector<std::string>& value,
                  const std::string& help);
    void flag(const std::string& name, bool& value, const std::string& help);

    void on_chosen(std::function<void()> body);

    /// The exit code when the line asked for help or the version, or was wrong (2; the reason goes
    /// to `on_error`); nothing when a command ran.
    std::optional<int> parse(int argc, char** argv,
                             const std::function<void(const std::string&)>& on_error);
    std::string help() const;
    /// Of the last parse, outermost first.
    std::vector<std::string> chosen() const;
    std::vector<CommandWords> subcommands() const;

private:
    explicit Command(CLI::App* app) : app_(app) {}

    std::shared_ptr<CLI::App> owned_;  // the program's; subcommands belong to their parent
    CLI::App* app_;
};

}  // namespace culprit::cli
