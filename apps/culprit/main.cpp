#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
    CLI::App app{"culprit: finds the root cause when an LLM service breaks"};
    app.set_version_flag("--version", CULPRIT_VERSION);
    CLI11_PARSE(app, argc, argv);
    return 0;
}
