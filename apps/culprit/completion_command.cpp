#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/culprit/command.h"
#include "culprit/methods/catalog.h"

namespace culprit::cli {
namespace {

// What a shell can offer after `culprit <command>`, read from the command tree, so that a new
// command or option is completed without a word here.
struct Completion {
    std::string command;
    std::string help;
    struct Option {
        std::string name;
        std::string help;
        bool takes_value = false;
        std::vector<std::string> values;
    };
    std::vector<Option> options;
};

std::string one_line(std::string text) {
    text = text.substr(0, text.find('\n'));
    std::string safe;
    for (const char c : text)
        if (c != '\'' && c != '"' && c != '[' && c != ']' && c != ':' && c != '`' && c != '$')
            safe += c;
    return safe;
}

std::string method_names(char separator) {
    std::string names;
    for (const CatalogEntry& entry : catalog()) {
        if (!names.empty()) names += separator;
        names += entry.name;
    }
    return names;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (std::size_t end = text.find(separator); end != std::string::npos;
         begin = end + 1, end = text.find(separator, begin))
        parts.push_back(text.substr(begin, end - begin));
    parts.push_back(text.substr(begin));
    return parts;
}

// Options that take one of a few words say so as "...: a, b, c" or "a|b|c" in their help.
std::vector<std::string> words_of(const std::string& help) {
    const std::size_t end = help.find_first_of(" ;,");
    const std::string first = help.substr(0, end);
    std::vector<std::string> words;
    if (first.find('|') == std::string::npos) return words;
    return split(first, '|');
}

Completion completion_of(const CommandWords& command) {
    Completion completion{command.name, one_line(command.summary), {}};
    for (const OptionWords& option : command.options) {
        for (const std::string& name : option.long_names)
            completion.options.push_back(
                {"--" + name, one_line(option.help), option.takes_value, words_of(option.help)});
    }
    return completion;
}

std::vector<Completion> completions_of(const Command& root) {
    std::vector<Completion> all;
    for (const CommandWords& command : root.subcommands()) all.push_back(completion_of(command));
    return all;
}

bool names_methods(const std::string& option) {
    return option == "--method" || option == "--methods";
}

std::string join(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

std::string bash_script(const Command& root) {
    std::string commands;
    std::string cases;
    std::string values;
    for (const Completion& completion : completions_of(root)) {
        commands += (commands.empty() ? "" : " ") + completion.command;
        std::string options;
        for (const auto& option : completion.options) {
            options += (options.empty() ? "" : " ") + option.name;
            if (names_methods(option.name))
                values += fmt::format("        {} {}) words=\"{}\" ;;\n", completion.command,
                                      option.name, method_names(' '));
            else if (!option.values.empty())
                values += fmt::format("        {} {}) words=\"{}\" ;;\n", completion.command,
                                      option.name, join(option.values));
        }
        cases += fmt::format("        {}) words=\"{}\" ;;\n", completion.command, options);
    }
    // Patterns below hold a space, hence the backslash that `case` needs.
    std::string escaped;
    for (const std::string& line : split(values, '\n')) {
        if (line.empty()) continue;
        std::string copy = line;
        copy.replace(copy.find(" --"), 1, "\\ ");
        escaped += copy + "\n";
    }
    return fmt::format(R"(# bash completion for culprit. Use: source <(culprit completion bash)
_culprit() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="" word words=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in -*) ;; *) command="$word"; break ;; esac
    done
    if [ -z "$command" ]; then
        COMPREPLY=($(compgen -W "{0} --help --version --color" -- "$current"))
        return
    fi
    case "$command $previous" in
{1}    esac
    if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
    fi
    if [ "$command" = methods ] && [[ "$current" != -* ]]; then
        COMPREPLY=($(compgen -W "{2}" -- "$current"))
        return
    fi
    case "$current" in
        -*) ;;
        *) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;
    esac
    case "$command" in
{3}    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _culprit culprit
)",
                       commands, escaped, method_names(' '), cases);
}

std::string zsh_script(const Command& root) {
    std::string commands;
    std::string cases;
    for (const Completion& completion : completions_of(root)) {
        commands += fmt::format("        '{}:{}'\n", completion.command, completion.help);
        std::string options;
        for (const auto& option : completion.options) {
            std::string action;
            if (names_methods(option.name))
                action = fmt::format(":method:({})", method_names(' '));
            else if (!option.values.empty())
                action = fmt::format(":value:({})", join(option.values));
            else if (option.takes_value)
                action = ":value:_files";
            options += fmt::format(" '{}[{}]{}'", option.name, option.help, action);
        }
        const std::string rest = completion.command == "methods"
                                     ? fmt::format("'*:method:({})'", method_names(' '))
                                     : std::string("'*:path:_files'");
        cases += fmt::format("        {}) _arguments{} {} ;;\n", completion.command, options, rest);
    }
    return fmt::format(R"(#compdef culprit
# zsh completion for culprit. Use: culprit completion zsh > "${{fpath[1]}}/_culprit"
_culprit() {{
    local -a commands
    commands=(
{0}    )
    if (( CURRENT == 2 )); then
        _describe 'command' commands
        return
    fi
    local command="$words[2]"
    shift words
    (( CURRENT-- ))
    case "$command" in
{1}    esac
}}
if [ "$funcstack[1]" = "_culprit" ]; then _culprit "$@"; else compdef _culprit culprit; fi
)",
                       commands, cases);
}

std::string fish_script(const Command& root) {
    std::string text =
        "# fish completion for culprit. Use: culprit completion fish | source\n"
        "complete -c culprit -n __fish_use_subcommand -f\n";
    for (const Completion& completion : completions_of(root)) {
        text += fmt::format("complete -c culprit -n __fish_use_subcommand -a {} -d '{}'\n",
                            completion.command, completion.help);
        const std::string when =
            fmt::format("-n '__fish_seen_subcommand_from {}'", completion.command);
        if (completion.command == "methods")
            text += fmt::format("complete -c culprit {} -f -a '{}'\n", when, method_names(' '));
        for (const auto& option : completion.options) {
            std::string action = option.takes_value ? " -r" : "";
            if (names_methods(option.name))
                action = fmt::format(" -x -a '{}'", method_names(' '));
            else if (!option.values.empty())
                action = fmt::format(" -x -a '{}'", join(option.values));
            text += fmt::format("complete -c culprit {} -l {} -d '{}'{}\n", when,
                                option.name.substr(2), option.help, action);
        }
    }
    return text;
}

}  // namespace

void add_completion_command(Command& root, Shell& shell) {
    Command command = root.subcommand("completion", "Print a completion script for a shell");
    auto which = std::make_shared<std::string>();
    command.option("shell", *which, "bash|zsh|fish")
        .required()
        .check(one_of({"bash", "zsh", "fish"}));
    command.footer(R"(Examples:
  source <(culprit completion bash)                        this bash session
  culprit completion zsh > "${fpath[1]}/_culprit"          zsh, for good
  culprit completion fish | source                         this fish session)");
    on_run(command, shell, [which, &root] {
        if (*which == "bash") return write_out(bash_script(root));
        if (*which == "zsh") return write_out(zsh_script(root));
        return write_out(fish_script(root));
    });
}

}  // namespace culprit::cli
